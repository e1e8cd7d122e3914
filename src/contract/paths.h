/* paths.h: names that both halves agree on: folders and files of a pod, the adapter image, environment variables, ports.
 * The values are upstream's (reference/kaito.md 4.1 to 4.5), so that its manifests and scripts find what they expect. */
#pragma once

/* A tuning pod. */
#define PATH_TRAINING_CONFIG "/mnt/config/training_config.yaml"
#define PATH_DATASET_FOLDER "/mnt/data"
#define PATH_DATASET_ROOT "/mnt"            /* DatasetConfig.dataset_path is relative to it */
#define PATH_RESULTS "/mnt/results"
#define PATH_WEIGHTS "/workspace/weights"
#define PATH_TERMINATION_LOG "/dev/termination-log"
#define ENV_TRAINING_CONFIG "YAML_FILE_PATH"
#define ENV_DATASET_FOLDER "DATASET_FOLDER_PATH"
#define ENV_TARGET_MODULES "DEFAULT_TARGET_MODULES" /* comma list */
#define ENV_TERMINATION_LOG "KAITO_TERMINATION_LOG"
#define METRICS_PORT 5000

/* An output folder. */
#define FILE_SENTINEL "fine_tuning_completed.txt"
#define SENTINEL_FORMAT "Fine-Tuning completed at %Y-%m-%d-%H-%M-%S"
#define FILE_ADAPTER_CONFIG "adapter_config.json"
#define FILE_ADAPTER_WEIGHTS "adapter_model.safetensors"
#define FILE_TRAINER_STATE "trainer_state.json"
#define FILE_LOSS_CURVE "loss.svg"
#define FOLDER_RESUME ".kaito-resume"       /* our own resume checkpoint; removed when tuning ends well */
#define FOLDER_CHECKPOINT_FORMAT "checkpoint-%lld" /* published ones, as Hugging Face's Trainer names them */

/* An adapter image: one gzip layer, these two files below data/. */
#define IMAGE_ADAPTER_FOLDER "data"
#define IMAGE_LAYER_TYPE "application/vnd.oci.image.layer.v1.tar+gzip"
#define IMAGE_CONFIG_TYPE "application/vnd.oci.image.config.v1+json"
#define IMAGE_ANNOTATION_MODEL "sh.kaito.model.name"
