/* limits.h: every ceiling on something that comes from outside. Each is tested at the limit and past it.
 * To add one: a row here with its reason, a test, and use it by name. docs/limits.md is generated from the lines. */
#pragma once

#define LIMIT_JSON_DEPTH 128                       /* nesting of any JSON document */
#define LIMIT_JSON_BYTES ((size_t)64 << 20)        /* one JSON document in memory */
#define LIMIT_YAML_BYTES ((size_t)1 << 20)         /* one configuration file */
#define LIMIT_YAML_DEPTH 64                        /* nesting of a configuration file */
#define LIMIT_YAML_NODES ((size_t)100000)          /* values of a configuration file, aliases expanded */
#define LIMIT_BASE64_BYTES ((size_t)1 << 20)       /* text of one base64 value */
#define LIMIT_FIELD_ERRORS 32                      /* configuration errors collected before giving up */
#define LIMIT_ADMISSION_ERRORS 64                  /* errors listed in one admission answer */
#define LIMIT_HTTP_BODY_BYTES ((size_t)8 << 20)    /* request body our server accepts */
#define LIMIT_HTTP_HEADER_BYTES ((size_t)64 << 10) /* request head our server accepts */
#define LIMIT_TENSORS 100000                       /* tensors in one model */
#define LIMIT_TENSOR_DIMS 4                        /* dimensions of one tensor */
#define LIMIT_GGUF_KEYS 65536                      /* metadata pairs of one GGUF file */
#define LIMIT_GGUF_ARRAY ((uint64_t)16 << 20)      /* elements in one GGUF metadata array */
#define LIMIT_GGUF_STRING ((uint64_t)16 << 20)     /* bytes in one GGUF string */
#define LIMIT_SAFETENSORS_HEADER ((uint64_t)100 << 20) /* header bytes, as the reference reader */
#define LIMIT_SHARDS 4096                          /* files of one sharded model */
#define LIMIT_VOCAB 1000000                        /* tokens of one tokenizer */
#define LIMIT_TOKENIZE_BYTES ((size_t)16 << 20)    /* text tokenized in one call */
#define LIMIT_TEMPLATE_BYTES ((size_t)1 << 20)     /* source of one chat template */
#define LIMIT_TEMPLATE_STEPS 2000000               /* evaluation steps of one rendering */
#define LIMIT_TEMPLATE_OUTPUT ((size_t)16 << 20)   /* rendered bytes */
#define LIMIT_TEMPLATE_MEMORY ((size_t)256 << 20)  /* values one rendering makes */
#define LIMIT_TEMPLATE_DEPTH 400                   /* nesting of expressions, blocks and macro calls while rendering */
#define LIMIT_LAYERS 512                           /* decoder layers of one model */
#define LIMIT_CONTEXT_TOKENS 1048576               /* context length of one model */
#define LIMIT_LORA_RANK 1024                       /* rank of one adapter */
#define LIMIT_ADAPTERS 64                          /* adapters loaded in one server */
#define LIMIT_DATASET_FILES 4096                   /* files of one dataset */
#define LIMIT_DATASET_ROW_BYTES ((size_t)16 << 20) /* one row's text */
#define LIMIT_DATASET_ROWS ((int64_t)100000000)    /* rows of one dataset */
#define LIMIT_PARQUET_COLUMNS 4096                 /* leaf columns of one parquet file */
#define LIMIT_PARQUET_PAGE_BYTES ((size_t)1 << 30) /* one page, uncompressed */
#define LIMIT_PARQUET_FOOTER_BYTES ((size_t)256 << 20) /* footer of one parquet file */
#define LIMIT_TAR_ENTRIES 100000                   /* members of one layer */
#define LIMIT_TAR_BYTES ((uint64_t)1 << 40)        /* extracted bytes of one layer */
#define LIMIT_TAR_RATIO 1000                       /* extracted over compressed bytes, past 64 MiB */
#define LIMIT_OCI_MANIFEST_BYTES ((size_t)4 << 20) /* one manifest, as registries limit it */
#define LIMIT_OCI_LAYERS 1024                      /* layers of one image */
#define LIMIT_REDIRECTS 10                         /* HTTP redirects followed */
#define LIMIT_STOP_STRINGS 16                      /* stop strings of one request */
#define LIMIT_LOGIT_BIAS 1024                      /* logit_bias entries of one request */
#define LIMIT_LOGPROBS 20                          /* top_logprobs of one request */
#define LIMIT_CHOICES 128                          /* n of one request */
#define LIMIT_TERMINATION_BYTES 4096               /* the pod contract's termination message */
#define LIMIT_BENCHMARK_LINE_BYTES ((size_t)1 << 20) /* one log line that is looked at for figures of a benchmark */
#define LIMIT_DATASET_COLUMNS 4096                 /* columns of one CSV or Arrow file */
#define LIMIT_DATASET_NESTING 64                   /* folders in folders, and types in types of one column */
#define LIMIT_DOWNLOAD_BYTES ((uint64_t)1 << 41)   /* one downloaded file whose size was not announced */
#define LIMIT_DOWNLOAD_TRIES 1000                  /* requests made for one file, resumed ones included */
#define LIMIT_TUNE_CACHE_TOKENS ((size_t)64 << 20) /* tokens of a dataset kept in memory; rows past it are encoded again */
#define LIMIT_ARROW_BUFFER_BYTES ((uint64_t)16 << 30) /* one decompressed buffer of an Arrow record batch */
#define LIMIT_DATASET_STORE_BYTES ((uint64_t)1 << 40) /* decoded rows of one dataset, in memory and on disk */
#define LIMIT_KUBE_CREDENTIAL_BYTES ((size_t)1 << 20) /* a token file, or what a credential plug-in prints */
#define LIMIT_KUBE_OBJECT_BYTES ((size_t)16 << 20) /* one Kubernetes object, or one line of a watch */
#define LIMIT_HUB_CONFIG_BYTES ((size_t)4 << 20)   /* the configuration of a model outside the catalogue */
#define LIMIT_HUB_LISTING_BYTES ((size_t)16 << 20) /* one page of its files */
#define LIMIT_HUB_PAGES 50                         /* pages of its files */
#define LIMIT_HUB_QUESTIONS 16                     /* models that a controller asks the hub about at once */
#define LIMIT_WORKSPACE_NODES 1000                 /* nodes that one Workspace asks for */
#define LIMIT_CLAIM_REQUIREMENTS 100               /* requirements of one NodeClaim, as its schema limits them */
#define LIMIT_CLAIM_VALUES 1000                    /* values of all requirements of one NodeClaim */
#define LIMIT_COOLED_OFFERINGS 512                 /* instance types, zones and capacity types known to be unavailable at a time */
#define LIMIT_MEMO_BYTES ((size_t)16 << 10)          /* what the annotation of a claim keeps of an operation of the cloud */
#define LIMIT_POOL_PAGES 100                       /* pages of one listing of agent pools */
#define LIMIT_MACHINE_BATCH 100                     /* machines that one request deletes */
#define LIMIT_SIMULATOR_POOLS 10000                /* agent pools of the simulated cluster */
#define LIMIT_SIMULATOR_NODES 1000                 /* machines of one simulated pool, as AKS */
#define LIMIT_SIMULATOR_MACHINES 100000            /* machines of all simulated pools */
#define LIMIT_SIMULATOR_POOL_BYTES ((size_t)64 << 10) /* body of one simulated pool */
#define LIMIT_SIMULATOR_BODY_BYTES ((size_t)2 << 20) /* any request to the simulator */
#define LIMIT_SIMULATOR_TEMPLATES 5000             /* launch templates of the simulated region, as EC2 */
#define LIMIT_SIMULATOR_OPERATIONS 20000           /* operations that can still be asked about; the oldest that ended go first */
#define LIMIT_SIMULATOR_SCRIPTS 10000              /* scripted replies that wait in the simulator */
#define LIMIT_SIMULATOR_CALLS 16384                /* requests in the simulator's log; the oldest go first */
#define LIMIT_SIMULATOR_NAMES 20000                /* pool names whose requests are counted one by one */
#define LIMIT_SIMULATOR_TOKENS 4096                /* bearer tokens that the simulator remembers; the oldest go first */
#define LIMIT_ARM_URL_BYTES 4096                   /* the address of a running Azure operation, kept with its claim */
#define LIMIT_ARM_ANSWER_BYTES ((size_t)4 << 20)   /* one answer of Azure Resource Manager */
#define LIMIT_ARM_ERROR_DEPTH 8                    /* errors inside errors that are looked at */
#define LIMIT_ARM_ERROR_NODES 64                   /* errors of one answer that are looked at */
#define LIMIT_ARM_CREDENTIAL_BYTES ((size_t)64 << 10) /* a federated token or certificate file */
#define LIMIT_QUOTA_COUNTERS 4096                  /* counters of a subscription in one region */
#define LIMIT_QUOTA_PAGES 64                       /* pages of them */
#define LIMIT_AWS_ANSWER_BYTES ((size_t)8 << 20)    /* one answer of an AWS service */
#define LIMIT_AWS_ANSWER_ELEMENTS ((size_t)1 << 19) /* XML elements of one such answer */
#define LIMIT_AWS_CREDENTIAL_BYTES ((size_t)64 << 10) /* a web identity or pod identity token file */
#define LIMIT_EC2_PAGES 200                        /* pages of one listing of EC2 instances */
#define LIMIT_EC2_OVERRIDES 40                     /* instance types and zones of one fleet request */
#define LIMIT_EC2_SELECTOR_TERMS 30                /* terms of one selector of an EC2NodeClass, as its schema limits them */
