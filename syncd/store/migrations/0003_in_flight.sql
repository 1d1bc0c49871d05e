-- What was sent in writes whose outcome is not known yet: their echo must not pass for somebody else's edit.
CREATE TABLE in_flight (
    delivery_id INTEGER PRIMARY KEY REFERENCES deliveries (id),
    record_id TEXT NOT NULL,
    connection TEXT NOT NULL,
    object TEXT NOT NULL,
    fields TEXT NOT NULL
) STRICT;
CREATE INDEX in_flight_of_record ON in_flight (record_id);
