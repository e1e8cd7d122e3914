/* format.c: the tables of formats. Content beats names where content is unmistakable, since files that come from URLs are
 * often named after the URL; upstream's rule (a substring anywhere in the name) is not kept. */
#include "data/format.h"

#include <strings.h>

/* To add a format: a row per extension here, a magic row if it has one, an ops table in its own file. */
static const struct { const char *extension; const struct source_ops *ops; } EXTENSIONS[] = {
	{"arrow", &ARROW_SOURCE}, {"csv", &CSV_SOURCE},    {"feather", &ARROW_SOURCE}, {"ipc", &ARROW_SOURCE},
	{"json", &JSON_SOURCE},   {"jsonl", &JSON_SOURCE}, {"ndjson", &JSON_SOURCE},   {"parquet", &PARQUET_SOURCE},
	{"pq", &PARQUET_SOURCE},  {"tsv", &CSV_SOURCE},
};

/* ops NULL: recognised only to be refused with these words. */
static const struct { str magic; size_t at; const struct source_ops *ops; const char *words; } MAGICS[] = {
	{{"PAR1", 4}, 0, &PARQUET_SOURCE, NULL},
	{{"PARE", 4}, 0, NULL, "an encrypted parquet file: write it without encryption"},
	{{"ARROW1", 6}, 0, &ARROW_SOURCE, NULL},
	{{"\xFF\xFF\xFF\xFF", 4}, 0, &ARROW_SOURCE, NULL},
	{{"FEA1", 4}, 0, NULL, "a Feather version 1 file: write it as Feather version 2 (Arrow IPC)"},
	{{"\x1F\x8B", 2}, 0, NULL, "gzip-compressed: decompress it first"},
	{{"\x28\xB5\x2F\xFD", 4}, 0, NULL, "zstd-compressed: decompress it first"},
	{{"\xFD" "7zXZ", 5}, 0, NULL, "xz-compressed: decompress it first"},
	{{"BZh", 3}, 0, NULL, "bzip2-compressed: decompress it first"},
	{{"PK\x03\x04", 4}, 0, NULL, "a zip archive: unpack it first"},
	{{"ORC", 3}, 0, NULL, "an ORC file: convert it to parquet"},
	{{"Obj\x01", 4}, 0, NULL, "an Avro file: convert it to parquet"},
	{{"ustar", 5}, 257, NULL, "a tar archive (webdataset): unpack it, or convert it to parquet"},
};

/* Files that dataset tools put beside the data. */
static const char *const METADATA_NAMES[] = {"dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json"};

static const struct source_ops *by_extension(str extension)
{
	for (size_t i = 0; i < sizeof EXTENSIONS / sizeof EXTENSIONS[0]; i++) {
		const char *e = EXTENSIONS[i].extension;
		if (strlen(e) == extension.len && strncasecmp(e, extension.data, extension.len) == 0)
			return EXTENSIONS[i].ops;
	}
	return NULL;
}

/* What follows the last dot, without the query of a URL. */
static str extension_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	str name = str_of(slash ? slash + 1 : path);
	name = str_sub(name, 0, str_find(name, '?', 0));
	for (size_t i = name.len; i-- > 0;)
		if (name.data[i] == '.')
			return str_sub(name, i + 1, name.len);
	return STR("");
}

bool format_is_data_name(const char *name)
{
	for (size_t i = 0; i < sizeof METADATA_NAMES / sizeof METADATA_NAMES[0]; i++)
		if (strcmp(name, METADATA_NAMES[i]) == 0)
			return false;
	return by_extension(extension_of(name)) != NULL;
}

/* A byte order mark, white space, then a bracket: JSON. A first line with a separator and no control bytes: CSV. */
static const struct source_ops *by_text(str bytes)
{
	if (str_starts(bytes, STR("\xEF\xBB\xBF")))
		bytes = str_sub(bytes, 3, bytes.len);
	str start = str_trim(str_sub(bytes, 0, bytes.len < 4096 ? bytes.len : 4096));
	if (start.len && (start.data[0] == '{' || start.data[0] == '['))
		return &JSON_SOURCE;
	bool separator = false;
	for (size_t i = 0; i < start.len && start.data[i] != '\n' && start.data[i] != '\r'; i++) {
		if ((unsigned char)start.data[i] < 0x20 && start.data[i] != '\t')
			return NULL;
		separator |= start.data[i] == ',' || start.data[i] == '\t';
	}
	return separator ? &CSV_SOURCE : NULL;
}

const struct source_ops *format_detect(const char *path, str bytes, const char *forced, struct err *err)
{
	const struct source_ops *ops;
	if (forced && forced[0]) {
		ops = by_extension(str_of(forced[0] == '.' ? forced + 1 : forced));
		if (!ops)
			err_set(err, ERR_CONFIG, "dataset_extension '%.40s' is not known: use parquet, arrow, json, jsonl or csv", forced);
		return ops;
	}
	for (size_t i = 0; i < sizeof MAGICS / sizeof MAGICS[0]; i++) {
		if (bytes.len < MAGICS[i].at || !str_starts(str_sub(bytes, MAGICS[i].at, bytes.len), MAGICS[i].magic))
			continue;
		if (!MAGICS[i].ops)
			err_set(err, ERR_DATA, "is %s", MAGICS[i].words);
		return MAGICS[i].ops;
	}
	ops = by_extension(extension_of(path));
	if (!ops)
		ops = by_text(bytes);
	if (!ops)
		err_set(err, ERR_DATA, "%s: parquet, Arrow, JSON, JSON Lines and CSV are read; dataset_extension forces one",
			bytes.len ? "is of no known format" : "is empty");
	return ops;
}
