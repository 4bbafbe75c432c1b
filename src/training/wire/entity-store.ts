import { z } from "zod";
import { describedFields, EntityName, NamespaceName, type Stamped } from "./common.ts";

/** The Entity Store: namespaces, data sets, models and projects (NeMo Microservices v1). */

export const NamespaceCreate = z.object({ ...describedFields, id: NamespaceName.nullish() });
export type NamespaceCreate = z.output<typeof NamespaceCreate>;

export const NamespaceUpdate = z.object(describedFields);

export interface Namespace extends Stamped {
  id: string;
  description: string | null;
  project: string | null;
  custom_fields: Record<string, unknown>;
  ownership: unknown;
}

const placed = { ...describedFields, name: EntityName.nullish(), namespace: NamespaceName.nullish() };

const datasetFields = {
  ...describedFields,
  format: z.string().max(1024).nullish(),
  hf_endpoint: z.string().max(4096).nullish(),
  limit: z.int().nullish(),
  split: z.string().max(1024).nullish(),
};

const FilesUrl = z.string().min(1).max(4096);

export const DatasetCreate = z.object({ ...placed, ...datasetFields, files_url: FilesUrl });
export type DatasetCreate = z.output<typeof DatasetCreate>;

export const DatasetUpdate = z.object({ ...datasetFields, files_url: FilesUrl.nullish() });

/** Where an entity lies and what it is, beside what was given for it. */
export interface Placed extends Stamped {
  schema_version: string;
  id: string;
  name: string;
  namespace: string;
}

export interface Dataset extends Placed {
  files_url: string;
  [field: string]: unknown;
}

export const ModelArtifact = z.looseObject({
  files_url: z.string(),
  status: z.enum(["created", "upload_failed", "upload_completed"]),
  backend_engine: z.enum(["nemo", "trt_llm", "vllm", "faster_transformer", "hugging_face"]).nullish(),
  gpu_arch: z.string().nullish(),
  precision: z.string().nullish(),
  tensor_parallelism: z.int().nullish(),
});
export type ModelArtifact = z.output<typeof ModelArtifact>;

export const ModelSpec = z.looseObject({
  context_size: z.int(),
  is_chat: z.boolean(),
  num_parameters: z.int(),
  num_virtual_tokens: z.int(),
});

export const ModelPeft = z.looseObject({
  finetuning_type: z.string(),
  lora: z.looseObject({}).nullish(),
  p_tuning: z.looseObject({}).nullish(),
});

const modelFields = {
  ...describedFields,
  base_model: z.union([z.string().max(1024), z.looseObject({})]).nullish(),
  artifact: ModelArtifact.nullish(),
  spec: ModelSpec.nullish(),
  peft: ModelPeft.nullish(),
  prompt: z.looseObject({}).nullish(),
  api_endpoint: z.looseObject({ url: z.string(), model_id: z.string() }).nullish(),
  guardrails: z.unknown().nullish(),
  model_providers: z.array(z.unknown()).nullish(),
};

export const ModelCreate = z.object({ ...placed, ...modelFields });
export type ModelCreate = z.output<typeof ModelCreate>;

export const ModelUpdate = z.object(modelFields);

export interface ModelEntity extends Placed {
  base_model?: string | Record<string, unknown>;
  artifact?: ModelArtifact;
  spec?: z.output<typeof ModelSpec>;
  peft?: z.output<typeof ModelPeft>;
  [field: string]: unknown;
}

export const ProjectCreate = z.object(placed);
export const ProjectUpdate = z.object(describedFields);

export interface Project extends Placed {
  [field: string]: unknown;
}
