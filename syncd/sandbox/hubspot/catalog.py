"""The properties every account is born with, as text tables.

One line per property: name, type, field type, flags. Flags: ``ro`` read-only value, ``uniq`` unique values,
``calc`` calculated by the vendor; ``=`` introduces the options of an enumeration.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_COMMON = """
hs_object_id number number ro uniq
hs_object_source string text ro
hs_object_source_id string text ro
hs_object_source_label string text ro
hs_merged_object_ids string text ro
hs_created_by_user_id number number ro
hs_updated_by_user_id number number ro
hubspot_owner_id enumeration select owner
hubspot_team_id enumeration select
hs_unique_creation_key string text ro uniq
"""

_CONTACTS = """
email string text uniq
firstname string text
lastname string text
salutation string text
phone string phonenumber
mobilephone string phonenumber
fax string text
company string text
jobtitle string text
address string text
city string text
state string text
zip string text
country string text
website string text
message string textarea
annualrevenue string text
numemployees enumeration select =1-5,5-25,25-50,50-100,100-500,500-1000,1000+
date_of_birth string text
hs_language enumeration select =en,de,fr,es,it,nl,pt,sv,da,fi,pl,ja
closedate datetime date
lifecyclestage enumeration radio lifecycle
hs_lead_status enumeration radio leads
createdate datetime date ro
lastmodifieddate datetime date ro
associatedcompanyid number number
hs_email_domain string text ro calc
hs_full_name_or_email string text ro calc
hs_calculated_phone_number string text ro calc
hs_searchable_calculated_phone_number string text ro calc
hs_additional_emails string text ro
"""

_COMPANIES = """
name string text
domain string text
website string text
phone string phonenumber
address string text
city string text
state string text
zip string text
country string text
industry string text
description string textarea
numberofemployees number number
annualrevenue number number
lifecyclestage enumeration radio lifecycle
createdate datetime date ro
hs_lastmodifieddate datetime date ro
hs_parent_company_id number number ro
hs_searchable_calculated_phone_number string text ro calc
"""

_DEALS = """
dealname string text
amount number number
deal_currency_code enumeration select currency
dealstage enumeration radio stage
pipeline enumeration select pipeline
closedate datetime date
dealtype enumeration radio =newbusiness,existingbusiness
description string textarea
hs_priority enumeration select =low,medium,high
closed_lost_reason string textarea
closed_won_reason string textarea
hs_next_step string text
createdate datetime date
hs_createdate datetime date ro
hs_lastmodifieddate datetime date ro
hs_is_closed bool booleancheckbox ro calc
hs_is_closed_won bool booleancheckbox ro calc
hs_is_closed_lost bool booleancheckbox ro calc
hs_deal_stage_probability number number ro calc
amount_in_home_currency number number ro calc
"""

_TICKETS = """
subject string text
content string textarea
hs_pipeline enumeration select pipeline
hs_pipeline_stage enumeration radio stage
hs_ticket_priority enumeration select =LOW,MEDIUM,HIGH,URGENT
hs_ticket_category enumeration checkbox =PRODUCT_ISSUE,BILLING_ISSUE,FEATURE_REQUEST,GENERAL_INQUIRY
createdate datetime date ro
closed_date datetime date
hs_lastmodifieddate datetime date ro
"""

_PRODUCTS = """
name string text
description string textarea
price number number
hs_sku string text
hs_cost_of_goods_sold number number
hs_price_eur number number
hs_price_usd number number
hs_recurring_billing_period string text
recurringbillingfrequency enumeration select =weekly,biweekly,monthly,quarterly,per_six_months,annually
hs_url string text
hs_images string text
createdate datetime date ro
hs_lastmodifieddate datetime date ro
"""

_LINE_ITEMS = """
name string text
description string textarea
price number number
quantity number number
hs_sku string text
hs_product_id number number
discount number number
hs_discount_percentage number number
hs_line_item_currency_code enumeration select currency
hs_position_on_quote number number
hs_url string text
tax number number
recurringbillingfrequency enumeration select =weekly,biweekly,monthly,quarterly,per_six_months,annually
createdate datetime date ro
hs_lastmodifieddate datetime date ro
amount number number ro calc
hs_total_discount number number ro calc
hs_pre_discount_amount number number ro calc
"""

_ORDERS = """
hs_order_name string text
hs_external_order_id string text uniq
hs_external_order_url string text
hs_external_order_status string text
hs_external_cart_id string text
hs_external_checkout_id string text
hs_external_created_date datetime date
hs_external_modified_date datetime date
hs_processed_date datetime date
hs_cancelled_date datetime date
hs_currency_code enumeration select currency
hs_exchange_rate number number
hs_total_price number number
hs_subtotal_price number number
hs_order_discount number number
hs_discount_codes string text
hs_tax number number
hs_shipping_cost number number
hs_homecurrency_amount number number ro calc
hs_source_store string text
hs_order_note string textarea
hs_tags string text
hs_fulfillment_status string text
hs_payment_status string text
hs_payment_processing_method string text
hs_shipping_tracking_number string text
hs_shipping_status_url string text
hs_shipping_address_name string text
hs_shipping_address_street string text
hs_shipping_address_city string text
hs_shipping_address_state string text
hs_shipping_address_postal_code string text
hs_shipping_address_country string text
hs_billing_address_name string text
hs_billing_address_email string text
hs_billing_address_phone string text
hs_billing_address_street string text
hs_billing_address_city string text
hs_billing_address_state string text
hs_billing_address_postal_code string text
hs_billing_address_country string text
hs_pipeline enumeration select pipeline
hs_pipeline_stage enumeration radio stage
hs_createdate datetime date ro
hs_lastmodifieddate datetime date ro
"""

_QUOTES = """
hs_title string text
hs_status enumeration select =DRAFT,APPROVAL_NOT_NEEDED,PENDING_APPROVAL,APPROVED,REJECTED
hs_expiration_date date date
hs_quote_number string text ro
hs_quote_amount number number ro calc
hs_currency enumeration select currency
hs_language enumeration select =en,de,fr,es,it,nl,pt,sv,da,fi,pl,ja
hs_terms string textarea
hs_comments string textarea
hs_quote_link string text ro
hs_pdf_download_link string text ro
hs_createdate datetime date ro
hs_lastmodifieddate datetime date ro
"""

_OWN = """
hs_createdate datetime date ro
hs_lastmodifieddate datetime date ro
hs_all_accessible_team_ids string text ro
"""
"""Of every object type an account defines."""

_TABLES = {
    "contacts": ("contactinformation", "Contact information", _CONTACTS),
    "companies": ("companyinformation", "Company information", _COMPANIES),
    "deals": ("dealinformation", "Deal information", _DEALS),
    "tickets": ("ticketinformation", "Ticket information", _TICKETS),
    "products": ("productinformation", "Product information", _PRODUCTS),
    "line_items": ("lineiteminformation", "Line item information", _LINE_ITEMS),
    "quotes": ("quoteinformation", "Quote information", _QUOTES),
    "orders": ("order_information", "Order information", _ORDERS),
}

LIFECYCLE = ("subscriber", "lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer",
             "evangelist", "other")  # fmt: skip
"""In the order in which a record may only move forward."""

CURRENCIES = ("AUD", "BRL", "CAD", "CHF", "CZK", "DKK", "EUR", "GBP", "HUF", "INR", "JPY", "MXN", "NOK", "NZD", "PLN",
              "RON", "SEK", "SGD", "TRY", "USD", "ZAR")  # fmt: skip

_LEADS = ("NEW", "OPEN", "IN_PROGRESS", "OPEN_DEAL", "UNQUALIFIED", "ATTEMPTED_TO_CONTACT", "CONNECTED", "BAD_TIMING")
_LONG_LISTS = {"currency": CURRENCIES, "lifecycle": LIFECYCLE, "leads": _LEADS}


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    type: str
    field_type: str
    flags: frozenset[str]
    options: tuple[str, ...]


def group_of(kind_name: str) -> tuple[str, str]:
    """Name and label of the group the vendor's own properties stand in."""
    group, label, _ = _TABLES.get(kind_name, (f"{kind_name}_information", "Information", _OWN))
    return group, label


def rows_of(kind_name: str) -> Iterator[Row]:
    for line in (_TABLES.get(kind_name, ("", "", _OWN))[2] + _COMMON).split("\n"):
        words = line.split()
        if words:
            options = next((tuple(word[1:].split(",")) for word in words[3:] if word.startswith("=")), ())
            flags = frozenset(word for word in words[3:] if not word.startswith("="))
            options = next((listed for name, listed in _LONG_LISTS.items() if name in flags), options)
            yield Row(words[0], words[1], words[2], flags, options)
