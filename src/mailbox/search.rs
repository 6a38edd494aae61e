//! SEARCH: a protocol-neutral query, evaluated from the cheapest source to the dearest.
