"""Side-by-side measurements of the whole product on one machine; nothing here is a test."""
