#!/usr/bin/env python3
"""Turns instruction pairs (a JSON array of {instruction, input, output}) into a parquet file of chats.

    make_demo_dataset.py alpaca_en_demo.json train.parquet

The file has one column `messages`: a list of {role, content}, compressed with snappy, in several row groups: the form in
which chat datasets are published. Needs pyarrow.
"""
import argparse
import json
import sys

import pyarrow as pa
import pyarrow.parquet as pq

MESSAGES = pa.list_(pa.struct([pa.field("content", pa.string()), pa.field("role", pa.string())]))


def chat(row):
    question = row["instruction"] + ("\n\n" + row["input"] if row.get("input") else "")
    return [{"role": "user", "content": question}, {"role": "assistant", "content": row["output"]}]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("input", help="JSON array of {instruction, input, output}")
    parser.add_argument("output", help="parquet file to write")
    args = parser.parse_args()
    with open(args.input, encoding="utf-8") as f:
        rows = json.load(f)
    if not rows:
        sys.exit(f"{args.input}: no rows")
    table = pa.table({"messages": pa.array([chat(r) for r in rows], MESSAGES)})
    pq.write_table(table, args.output, compression="snappy", row_group_size=500)
    print(f"{args.output}: {table.num_rows} chats")


main()
