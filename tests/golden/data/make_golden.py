#!/usr/bin/env python3
"""Writes the dataset files that test_parquet and test_arrow read, beside this script.

messages/*  hold the rows of messages.jsonl, flat/* those of flat.jsonl, nulls/* those of nulls.json (null: the row is
refused), in every encoding, codec, page version and list style that the writers offer. crafted/* come from
mini_parquet.py, for what no current writer produces. Needs pyarrow, polars and duckdb (made with 26.0.1, 2.1.0, 2.0.0).
"""
import json
import os
import shutil

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq

import mini_parquet

HERE = os.path.dirname(os.path.abspath(__file__))

LONG = "The quick brown fox jumps over the lazy dog. " * 30
TEXTS = ["Hello", "", "naïve café", "日本語のテキスト", "🚀 emoji\nand\ttabs", '"quoted", comma', LONG, "same", "same", "prefix-aaaa", "prefix-aabb", "z" * 300]


def message_rows():
    rows = []
    for i in range(24):
        chat = [{"role": "system", "content": "You are row %d." % (i % 3)}] if i % 4 == 0 else []
        for turn in range(1 + i % 3):
            chat.append({"role": "user", "content": TEXTS[(i + turn) % len(TEXTS)]})
            chat.append({"role": "assistant", "content": TEXTS[(i * 5 + turn * 7) % len(TEXTS)] + " answer %d" % i})
        rows.append(chat)
    return rows


def flat_rows():
    return [{"prompt": "Question %d: %s" % (i, TEXTS[i % len(TEXTS)]), "completion": TEXTS[(i * 7) % len(TEXTS)]} for i in range(24)]


MESSAGES = message_rows()
FLAT = flat_rows()
N = len(MESSAGES)
# What surrounds the wanted columns and has to be passed over.
OTHER = {
    "id": pa.array(range(N), pa.int64()),
    "score": pa.array([i / 3 for i in range(N)], pa.float64()),
    "flag": pa.array([i % 3 == 0 for i in range(N)]),
    "tags": pa.array([["a", "b"][: i % 3] or None for i in range(N)], pa.list_(pa.string())),
    "meta": pa.array([{"source": "x", "n": i} for i in range(N)]),
}


def path(folder, name):
    return os.path.join(HERE, folder, name)


def member_type(text=pa.string(), extra=False):
    fields = [pa.field("content", text), pa.field("role", text)]
    if extra:
        fields = [pa.field("name", pa.string()), fields[0], pa.field("weight", pa.float32()), fields[1], pa.field("calls", pa.list_(pa.string()))]
    return pa.struct(fields)


def with_extra(chat):
    return [dict(m, name="n" if i % 2 else None, weight=0.5 * i, calls=["f"] * i if i else None) for i, m in enumerate(chat)]


def message_table(list_type, rows=None):
    return pa.table({"id": OTHER["id"], "messages": pa.array(rows or MESSAGES, list_type), "score": OTHER["score"], "tags": OTHER["tags"], "meta": OTHER["meta"]})


def write_parquet(table, folder, name, **options):
    pq.write_table(table, path(folder, name + ".parquet"), write_statistics=options.pop("write_statistics", False), store_schema=False, **options)


def parquet_messages():
    plain = message_table(pa.list_(member_type()))
    leaves = ["messages.list.element.content", "messages.list.element.role"]
    for version in ("1.0", "2.0"):
        for codec in ("none", "snappy", "gzip", "brotli", "lz4", "zstd"):
            write_parquet(plain, "messages", f"v{version[0]}-{codec}-dictionary", data_page_version=version, compression=codec)
        for encoding in ("PLAIN", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"):
            for codec in ("none", "zstd"):
                encodings = {leaf: encoding for leaf in leaves}
                encodings.update({"id": "DELTA_BINARY_PACKED", "score": "BYTE_STREAM_SPLIT"})
                write_parquet(plain, "messages", f"v{version[0]}-{codec}-{encoding.lower()}", data_page_version=version, compression=codec,
                              use_dictionary=False, column_encoding=encodings)
    write_parquet(plain, "messages", "format-1.0", version="1.0", compression="snappy")
    write_parquet(plain, "messages", "list-item", use_compliant_nested_type=False)
    write_parquet(plain, "messages", "spark", flavor="spark", use_compliant_nested_type=False, version="1.0", compression="snappy", write_statistics=True)
    write_parquet(plain, "messages", "many-groups", row_group_size=5, write_statistics=True)
    write_parquet(plain, "messages", "many-pages", data_page_size=64, write_batch_size=2, use_dictionary=False, compression="snappy")
    write_parquet(plain, "messages", "dictionary-overflow", dictionary_pagesize_limit=200, data_page_size=200, write_batch_size=4)
    write_parquet(plain, "messages", "checksums-v1", write_page_checksum=True)
    write_parquet(plain, "messages", "checksums-v2", write_page_checksum=True, data_page_version="2.0", compression="snappy")
    write_parquet(plain, "messages", "page-index", write_page_index=True, write_statistics=True)
    required = pa.struct([pa.field("content", pa.string(), nullable=False), pa.field("role", pa.string(), nullable=False)])
    everywhere = pa.list_(pa.field("element", required, nullable=False))
    field = pa.field("messages", everywhere, nullable=False)
    write_parquet(pa.table([pa.array(MESSAGES, everywhere)], schema=pa.schema([field])), "messages", "required")
    write_parquet(message_table(pa.list_(member_type(extra=True)), [with_extra(c) for c in MESSAGES]), "messages", "extra-members")
    write_parquet(message_table(pa.large_list(member_type(pa.large_string()))), "messages", "large")
    write_parquet(message_table(pa.list_(member_type(pa.binary()))), "messages", "binary")
    shares = [[{"from": {"user": "human", "assistant": "gpt"}.get(m["role"], m["role"]), "value": m["content"]} for m in c] for c in MESSAGES]
    write_parquet(pa.table({"conversations": pa.array(shares)}), "messages", "from-value")
    lists = [{"role": [m["role"] for m in c], "content": [m["content"] for m in c]} for c in MESSAGES]
    write_parquet(pa.table({"messages": pa.array(lists)}), "messages", "struct-of-lists")
    write_parquet(pa.table({"messages": [json.dumps(c) for c in MESSAGES]}), "messages", "json-text")


def parquet_flat():
    table = pa.table(dict(OTHER, prompt=[r["prompt"] for r in FLAT], completion=[r["completion"] for r in FLAT]))
    for version in ("1.0", "2.0"):
        write_parquet(table, "flat", f"v{version[0]}-snappy", data_page_version=version)
        write_parquet(table, "flat", f"v{version[0]}-delta", data_page_version=version, use_dictionary=False, row_group_size=7,
                      column_encoding={"prompt": "DELTA_BYTE_ARRAY", "completion": "DELTA_LENGTH_BYTE_ARRAY"})
    write_parquet(table.cast(pa.schema([f if f.name not in ("prompt", "completion") else pa.field(f.name, pa.dictionary(pa.int32(), pa.string())) for f in table.schema])),
                  "flat", "categorical")
    shutil.copy(path("flat", "v1-snappy.parquet"), path("flat", "train-00000-of-00001-54e3756291ca09c6"))


def other_writers():
    con = duckdb.connect()
    con.execute("create table m (id integer, messages struct(role varchar, content varchar)[], score double)")
    con.executemany("insert into m values (?, ?, ?)", [(i, c, i / 7) for i, c in enumerate(MESSAGES)])
    con.execute("create table f (prompt varchar, completion varchar)")
    con.executemany("insert into f values (?, ?)", [(r["prompt"], r["completion"]) for r in FLAT])
    for codec in ("uncompressed", "snappy", "gzip", "zstd", "brotli", "lz4_raw"):
        con.execute(f"copy m to '{path('messages', f'duckdb-{codec}.parquet')}' (format parquet, codec '{codec}')")
    for version in ("V1", "V2"):
        for table, folder in (("m", "messages"), ("f", "flat")):
            con.execute(f"copy {table} to '{path(folder, f'duckdb-{version}.parquet')}' (format parquet, parquet_version '{version}', dictionary_size_limit 1)")
    frame = pl.DataFrame({"messages": MESSAGES, "id": list(range(N))})
    flat = pl.DataFrame(FLAT)
    for codec in ("uncompressed", "snappy", "gzip", "brotli", "lz4", "zstd"):
        frame.write_parquet(path("messages", f"polars-{codec}.parquet"), compression=codec)
    flat.write_parquet(path("flat", "polars.parquet"), row_group_size=6, statistics=False)
    flat.with_columns(pl.col("completion").cast(pl.Categorical)).write_parquet(path("flat", "polars-categorical.parquet"))
    for codec in ("uncompressed", "lz4", "zstd"):
        frame.write_ipc(path("messages", f"polars-{codec}.arrow"), compression=codec)
    frame.write_ipc_stream(path("messages", "polars-stream.arrow"))
    frame.write_ipc(path("messages", "polars-old.arrow"), compat_level=pl.CompatLevel.oldest())


def write_arrow(table, folder, name, stream=False, batch=None, **options):
    opened = (pa.ipc.new_stream if stream else pa.ipc.new_file)(path(folder, name + ".arrow"), table.schema, options=pa.ipc.IpcWriteOptions(**options))
    with opened as w:
        w.write_table(table, max_chunksize=batch)


def arrow():
    plain = message_table(pa.list_(member_type(extra=True)), [with_extra(c) for c in MESSAGES])
    for stream in (False, True):
        kind = "stream" if stream else "file"
        for codec in (None, "lz4", "zstd"):
            write_arrow(plain, "messages", f"{kind}-{codec or 'none'}", stream, 10, compression=codec)
    shutil.copy(path("messages", "file-lz4.arrow"), path("messages", "file-without-extension"))
    shutil.copy(path("messages", "stream-none.arrow"), path("messages", "stream-without-extension"))
    write_arrow(message_table(pa.large_list(member_type(pa.large_string()))), "messages", "large")
    write_arrow(message_table(pa.list_(member_type(pa.string_view()))), "messages", "views", compression="lz4")
    write_arrow(message_table(pa.list_view(member_type())), "messages", "list-view")
    write_arrow(message_table(pa.list_(member_type(pa.binary()))), "messages", "binary")
    lists = [{"role": [m["role"] for m in c], "content": [m["content"] for m in c]} for c in MESSAGES]
    write_arrow(pa.table({"messages": pa.array(lists)}), "messages", "struct-of-lists")
    role = pa.dictionary(pa.int8(), pa.string())
    coded = pa.struct([pa.field("role", role), pa.field("content", pa.string())])
    write_arrow(pa.table({"messages": pa.array(MESSAGES, pa.list_(coded)), "id": OTHER["id"]}), "messages", "dictionary-role", batch=7)
    feather.write_feather(plain, path("messages", "v2.feather"))
    flat = pa.table(dict(OTHER, prompt=[r["prompt"] for r in FLAT], completion=[r["completion"] for r in FLAT]))
    write_arrow(flat, "flat", "file", batch=9, compression="zstd")
    # A dictionary that grows (deltas) and one that is replaced from batch to batch.
    chunks = [pa.array([r["completion"] for r in FLAT[i:i + 6]]).dictionary_encode() for i in range(0, N, 6)]
    replaced = pa.table({"prompt": pa.chunked_array([[r["prompt"] for r in FLAT[i:i + 6]] for i in range(0, N, 6)]), "completion": pa.chunked_array(chunks)})
    write_arrow(replaced, "flat", "dictionary-replaced", stream=True, compression="lz4")
    grown = []
    seen = []
    for i in range(0, N, 6):
        values = [r["completion"] for r in FLAT[i:i + 6]]
        seen = seen + [v for v in dict.fromkeys(values) if v not in seen]
        grown.append(pa.DictionaryArray.from_arrays(pa.array([seen.index(v) for v in values], pa.int16()), pa.array(seen)))
    table = pa.table({"prompt": replaced["prompt"], "completion": pa.chunked_array(grown)})
    write_arrow(table, "flat", "dictionary-grown", stream=True, emit_dictionary_deltas=True)
    write_arrow(table, "flat", "dictionary-grown-file", emit_dictionary_deltas=True)


def nulls():
    """Nullable at each level: a row is refused or read as nulls.json says."""
    rows = [
        [{"role": "user", "content": "fine"}, {"role": "assistant", "content": "yes"}],
        None,
        [],
        [None],
        [{"role": "user", "content": None}],
        [{"role": None, "content": "x"}],
        [{"role": "user", "content": "first"}, None, {"role": "assistant", "content": "third"}],
        [{"role": "user", "content": "last"}],
    ]
    table = pa.table({"messages": pa.array(rows, pa.list_(member_type()))})
    for version in ("1.0", "2.0"):
        write_parquet(table, "nulls", f"v{version[0]}", data_page_version=version)
        write_parquet(table, "nulls", f"v{version[0]}-delta", data_page_version=version, use_dictionary=False,
                      column_encoding={f"messages.list.element.{m}": "DELTA_BYTE_ARRAY" for m in ("role", "content")})
    write_parquet(table, "nulls", "groups", row_group_size=1)
    write_arrow(table, "nulls", "file")
    write_arrow(table, "nulls", "stream", stream=True, batch=3, compression="zstd")
    pl.DataFrame({"messages": rows}, schema={"messages": pl.List(pl.Struct({"role": pl.String, "content": pl.String}))}).write_parquet(path("nulls", "polars.parquet"))
    con = duckdb.connect()
    con.execute("create table m (messages struct(role varchar, content varchar)[])")
    con.executemany("insert into m values (?)", [(r,) for r in rows])
    con.execute(f"copy m to '{path('nulls', 'duckdb.parquet')}' (format parquet)")
    json.dump(rows, open(path("", "nulls.json"), "w"), indent=0)


def main():
    for folder in ("messages", "flat", "nulls", "crafted"):
        shutil.rmtree(path(folder, ""), ignore_errors=True)
        os.makedirs(path(folder, ""))
    with open(path("", "messages.jsonl"), "w") as f:
        f.writelines(json.dumps({"messages": c}, ensure_ascii=False) + "\n" for c in MESSAGES)
    with open(path("", "flat.jsonl"), "w") as f:
        f.writelines(json.dumps(r) + "\n" for r in FLAT)
    parquet_messages()
    parquet_flat()
    other_writers()
    arrow()
    nulls()
    mini_parquet.write_all(path("crafted", ""), FLAT)


main()
