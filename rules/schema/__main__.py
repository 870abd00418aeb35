"""Write the JSON Schemas: `python -m rules.schema`."""

from __future__ import annotations

from rules.schema import DIRECTORY, schemas, written

for name, schema in schemas().items():
    (DIRECTORY / name).write_text(written(schema), encoding="utf-8")
