"""Parts that invented names are put together from. Names are obviously made up; domains are those kept for examples."""

from __future__ import annotations


def _table(text: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(entry.split(":")) for entry in text.split())


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


FIRST = _table(
    "Jörnu:Joernu:Jo Maëlin:Maelin:Mae Zoëlle:Zoelle:Zo Björka:Bjorka:Bea Renéo:Reneo:Ren Łucjan:Lucjan:Luc "
    "Søreni:Soreni:Sor Andréo:Andreo:Dré Chloëtta:Chloetta:Chlo Íñiga:Iniga:Iña "
    "Alrika:Alrika:Riki Berrand:Berrand:Berry Cordelan:Cordelan:Cord Dalvina:Dalvina:Dally Edrick:Edrick:Eddi "
    "Fennora:Fennora:Fenn Garvino:Garvino:Gar Haldis:Haldis:Hal Ivonelle:Ivonelle:Ivy Jaskar:Jaskar:Jas "
    "Kelvara:Kelvara:Kel Lorimel:Lorimel:Lori Marvinka:Marvinka:Vinka Nordan:Nordan:Nor Ofelina:Ofelina:Fee "
    "Pelleon:Pelleon:Pell Quillan:Quillan:Quill Rosabet:Rosabet:Rosa Sandrik:Sandrik:Sandy Tamarin:Tamarin:Tam "
    "Ulrisa:Ulrisa:Uli Vestan:Vestan:Ves Wendolyn:Wendolyn:Wendy Xandor:Xandor:Xan Yvettine:Yvettine:Yvi "
    "Zarek:Zarek:Zar Amberlyn:Amberlyn:Amber Bastiano:Bastiano:Basti Celindra:Celindra:Celi Doriano:Doriano:Dori"
)
"""Name, without its marks, as friends say it."""

LAST_HEADS = _table(
    "Öster:Oester Grün:Gruen Châtel:Chatel Źródl:Zrodl Ash:Ash Brindle:Brindle Copper:Copper Dapple:Dapple Elder:Elder "
    "Fallow:Fallow Gorse:Gorse Hollow:Hollow Juniper:Juniper Kestrel:Kestrel Linden:Linden Marl:Marl Nettle:Nettle "
    "Otter:Otter Pebble:Pebble Quarry:Quarry Rowan:Rowan Sorrel:Sorrel Thistle:Thistle Umber:Umber Wicker:Wicker"
)
LAST_TAILS = _words(
    "berg brook croft dale field ford garth heim holt kamp lund mark mere moor rath stead stein thorpe vale wick"
)

STREETS = (
    "Example Street",
    "Sample Lane",
    "Specimen Way",
    "Placeholder Road",
    "Prototype Row",
    "Musterweg",
    "Rue du Modèle",
    "Calle Ejemplo",
)
TOWNS = (
    ("DE", "Musterstadt", "+4930"),
    ("DE", "Beispielhausen", "+4989"),
    ("GB", "Samplebury", "+4420"),
    ("GB", "Specimen-on-Sea", "+4416"),
    ("FR", "Exempleville", "+331"),
    ("US", "Placeholder Falls", "+1555"),
)
"""Country, town, and how its telephone numbers begin."""

COMPANY_HEADS = _words(
    "Amberly Blueford Cinderly Dovetail Evenside Foxmere Gladstane Harrowby Inkwell Jollifer Kettleby Larkspur "
    "Moonrake Northby Oakmantle Plumfield Quicksett Ravensby Saltmarsh Tinderby Underlea Vellum Wayfare Yarrowby"
)
COMPANY_TRADES = (
    ("Works", "Manufacturing"),
    ("Foods", "Food & Beverage"),
    ("Machines", "Machinery"),
    ("Textiles", "Apparel"),
    ("Logistics", "Shipping"),
    ("Chemicals", "Chemicals"),
    ("Systems", "Technology"),
    ("Builders", "Construction"),
)
COMPANY_FORMS = ("GmbH", "Ltd", "Inc", "SARL", "BV")
DIVISIONS = ("Service Division", "Export Division", "Northern Branch", "Southern Branch", "Purchasing Department")

PRODUCT_KINDS = _words("Bracket Valve Lantern Kettle Hinge Crate Pulley Gasket Beaker Spanner Bellows Trestle")
PRODUCT_LOOKS = _words("Plain Ribbed Brass Oak Slate Folding Heavy Compact Double Quiet")
