"""A parquet writer of a hundred lines, for what current writers do not produce: levels in BIT_PACKED, LZ4 with Hadoop's
frames, text in FIXED_LEN_BYTE_ARRAY with BYTE_STREAM_SPLIT, two-level and bag lists, pages of other kinds, encryption
marks. Every file but those named bad-* holds the rows given."""
import struct
import zlib

import pyarrow as pa

I32, I64, BINARY, LIST, STRUCT, TRUE, FALSE = 5, 6, 8, 9, 12, 1, 2
PLAIN, RLE, BIT_PACKED, SPLIT = 0, 3, 4, 9
BYTE_ARRAY, FIXED = 6, 7
REQUIRED, OPTIONAL, REPEATED = 0, 1, 2
LIST_TYPE = 3


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def zigzag(n):
    return varint((n << 1) ^ (n >> 63))


def encode(kind, value):
    if kind in (I32, I64):
        return zigzag(value)
    if kind == BINARY:
        value = value.encode() if isinstance(value, str) else value
        return varint(len(value)) + value
    if kind == STRUCT:
        return value
    return b""


def record(*fields):
    """fields: (id, kind, value); None values are left out; a list's value is a list of encoded structs."""
    out, last = b"", 0
    for number, kind, value in fields:
        if value is None:
            continue
        out += bytes([(number - last) << 4 | kind]) if number - last < 16 else bytes([kind]) + zigzag(number)
        last = number
        if kind == LIST:
            out += (bytes([len(value) << 4 | STRUCT]) if len(value) < 15 else bytes([0xF0 | STRUCT]) + varint(len(value))) + b"".join(value)
        else:
            out += encode(kind, value)
    return out + b"\0"


def node(name, repetition=None, kind=None, children=None, converted=None, length=None):
    return record((1, I32, kind), (2, I32, length), (3, I32, repetition), (4, BINARY, name), (5, I32, children), (6, I32, converted))


def rle(levels, width):
    out = b""
    for level in levels:
        out += varint(1 << 1) + bytes([level])
    return out


def bit_packed(levels, width):
    bits = "".join(format(level, f"0{width}b") for level in levels)
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8))


def plain(values):
    return b"".join(struct.pack("<I", len(v)) + v for v in values)


def split(values):
    return b"".join(bytes([v[i]]) for i in range(len(values[0])) for v in values)


def hadoop(data):
    codec = pa.Codec("lz4_raw")
    out = b""
    for i in range(0, len(data), 700):
        block = data[i:i + 700]
        packed = codec.compress(block, asbytes=True)
        out += struct.pack(">II", len(block), len(packed)) + packed
    return out


def lz4_bare(data):
    return pa.Codec("lz4_raw").compress(data, asbytes=True)


class Column:
    """Levels are lists of ints; values the non-null ones."""

    def __init__(self, values, encoding=PLAIN, reps=None, defs=None, max_rep=0, max_def=0, level_encoding=RLE, codec=0, pack=None, kind=BYTE_ARRAY,
                 crc=False, crypto=False, extra_page=False, file_path=None, break_crc=False):
        self.__dict__.update(locals())

    def levels(self, levels, top):
        if not top:
            return b""
        width = top.bit_length()
        if self.level_encoding == BIT_PACKED:
            return bit_packed(levels, width)
        data = rle(levels, width)
        return struct.pack("<I", len(data)) + data

    def page(self):
        count = len(self.defs or self.values)
        data = self.levels(self.reps, self.max_rep) + self.levels(self.defs, self.max_def)
        data += split(self.values) if self.encoding == SPLIT else plain(self.values)
        packed = self.pack(data) if self.pack else data
        crc = zlib.crc32(packed) ^ self.break_crc if self.crc or self.break_crc else None
        if crc is not None and crc >= 1 << 31:
            crc -= 1 << 32
        head = record((1, I32, 0), (2, I32, len(data)), (3, I32, len(packed)), (4, I32, crc),
                      (5, STRUCT, record((1, I32, count), (2, I32, self.encoding), (3, I32, self.level_encoding), (4, I32, self.level_encoding))))
        other = record((1, I32, 1), (2, I32, 3), (3, I32, 3), (6, STRUCT, record())) + b"abc" if self.extra_page else b""
        return other + head + packed, count


def write(path, nodes, columns, rows, tail=b"PAR1", **footer):
    body, chunks = b"PAR1", []
    for c in columns:
        at = len(body)
        page, count = c.page()
        body += page
        meta = record((1, I32, c.kind), (2, LIST, []), (3, LIST, []), (4, I32, c.codec), (5, I64, count), (6, I64, len(page)), (7, I64, len(page)), (9, I64, at))
        chunks.append(record((1, BINARY, c.file_path), (2, I64, at), (3, STRUCT, meta), (8, STRUCT, record((1, STRUCT, record())) if c.crypto else None)))
    group = record((1, LIST, chunks), (2, I64, len(body)), (3, I64, footer.get("group_rows", rows)))
    end = record((1, I32, 1), (2, LIST, nodes), (3, I64, rows), (4, LIST, [group]), (6, BINARY, "mini_parquet.py"),
                 (8, STRUCT, record((1, STRUCT, record())) if footer.get("encryption") else None))
    with open(path, "wb") as f:
        f.write(body + end + struct.pack("<I", len(end)) + tail)


def flat_nodes(repetition=REQUIRED, kind=BYTE_ARRAY, length=None):
    return [node("root", children=2)] + [node(n, repetition, kind, length=length) for n in ("prompt", "completion")]


def flat(path, rows, repetition=REQUIRED, group_rows=None, **options):
    columns = []
    for name in ("prompt", "completion"):
        values = [r[name].encode() for r in rows]
        more = dict(defs=[1] * len(values), max_def=1) if repetition == OPTIONAL else {}
        columns.append(Column(values, **more, **options))
    write(path, flat_nodes(repetition), columns, len(rows), group_rows=len(rows) if group_rows is None else group_rows)


def lists(path, rows, nodes, before, struct_optional):
    """rows: prompt and completion as a chat of two; before: definition level of an empty list."""
    reps, defs, roles, contents = [], [], [], []
    top = before + 1 + struct_optional + 1
    for r in rows:
        for i, (role, content) in enumerate((("user", r["prompt"]), ("assistant", r["completion"]))):
            reps.append(1 if i else 0)
            defs.append(top)
            roles.append(role.encode())
            contents.append(content.encode())
    columns = [Column(v, reps=reps, defs=defs, max_rep=1, max_def=top) for v in (roles, contents)]
    write(path, nodes, columns, len(rows))


def write_all(folder, rows):
    flat(folder + "levels-bit-packed.parquet", rows, OPTIONAL, level_encoding=BIT_PACKED)
    flat(folder + "lz4-hadoop.parquet", rows, codec=5, pack=hadoop)
    flat(folder + "lz4-bare.parquet", rows, codec=5, pack=lz4_bare)
    flat(folder + "other-pages.parquet", rows, extra_page=True, crc=True)
    leaf = [node("role", OPTIONAL, BYTE_ARRAY, converted=0), node("content", OPTIONAL, BYTE_ARRAY, converted=0)]
    lists(folder + "list-two-level.parquet", rows, [node("root", children=1), node("messages", OPTIONAL, children=1, converted=LIST_TYPE),
                                                    node("array", REPEATED, children=2)] + leaf, 1, 0)
    lists(folder + "list-tuple.parquet", rows, [node("root", children=1), node("messages", REQUIRED, children=1, converted=LIST_TYPE),
                                                node("messages_tuple", REPEATED, children=2)] + leaf, 0, 0)
    lists(folder + "list-bag.parquet", rows, [node("root", children=1), node("messages", OPTIONAL, children=1, converted=LIST_TYPE),
                                              node("bag", REPEATED, children=1), node("array_element", OPTIONAL, children=2)] + leaf, 1, 1)
    lists(folder + "list-bare.parquet", rows, [node("root", children=1), node("messages", REPEATED, children=2)] + leaf, 0, 0)
    fixed = [{"prompt": f"q{i:06d}", "completion": f"a{i:06d}"} for i in range(10)]
    columns = [Column([r[n].encode() for r in fixed], SPLIT, kind=FIXED) for n in ("prompt", "completion")]
    write(folder + "fixed-split.parquet", flat_nodes(kind=FIXED, length=7), columns, len(fixed))
    flat(folder + "bad-lzo.parquet", rows[:2], codec=3)
    flat(folder + "bad-codec.parquet", rows[:2], codec=77)
    flat(folder + "bad-checksum.parquet", rows[:2], break_crc=True)
    flat(folder + "bad-encrypted-column.parquet", rows[:2], crypto=True)
    flat(folder + "bad-other-file.parquet", rows[:2], file_path="part-0.parquet")
    flat(folder + "bad-group-rows.parquet", rows[:2], group_rows=5)
    flat(folder + "bad-delta.parquet", rows[:2], encoding=7)
    flat(folder + "bad-dictionary.parquet", rows[:2], encoding=8)
    flat(folder + "bad-encoding.parquet", rows[:2], encoding=5)
    utf8 = Column([b"good", b"ok", b"bad \xff"]), Column([b"a", b"b", b"c"])
    write(folder + "bad-utf8.parquet", flat_nodes(), utf8, 3)
