/* training_config_tables.h: the row tables behind training_config.h, one file each, and the shorthand they share. */
#pragma once
#include "contract/training_config.h"

#define AT_LEAST(low) .min = (low), .max = 1e308
/* In a table file: #define SECTION struct config_x */
#define USED(kind, key, fallback, help, ...) {#key, FIELD_##kind, FIELD_USED, offsetof(SECTION, key), fallback, help, __VA_ARGS__}
#define SILENT(kind, key, fallback, help, ...) {#key, FIELD_##kind, FIELD_USED, FIELD_NO_MEMBER, fallback, help, __VA_ARGS__}
#define NOT_HERE(kind, key, fallback, help, ...) {#key, FIELD_##kind, FIELD_NOT_HERE, FIELD_NO_MEMBER, fallback, help, __VA_ARGS__}
#define REFUSED(kind, key, fallback, help, ...) {#key, FIELD_##kind, FIELD_REFUSED, FIELD_NO_MEMBER, fallback, help, __VA_ARGS__}
#define ALIAS(kind, key, member, fallback, help, ...) {#key, FIELD_##kind, FIELD_USED, offsetof(SECTION, member), fallback, help, __VA_ARGS__}

/* The compiler refuses a table whose number of rows differs from the one here. */
extern const struct field TRAINING_CONFIG_MODEL[12];
extern const struct field TRAINING_CONFIG_QUANTIZATION[11];
extern const struct field TRAINING_CONFIG_LORA[24];
extern const struct field TRAINING_CONFIG_ARGUMENTS[174];
extern const struct field TRAINING_CONFIG_COLLATOR[9];
extern const struct field TRAINING_CONFIG_DATASET[8];
