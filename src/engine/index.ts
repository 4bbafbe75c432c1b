/** The engine as a library, for whoever trains or runs models without the command line: `pairwright/engine`. */

export { openChatTemplate } from "../tokens/open-chat-template.ts";
export { openTokenizer } from "../tokens/open-tokenizer.ts";
export { createRowEncoder } from "../tokens/row-encoder.ts";
export type { Tokenizer } from "../tokens/tokenizer.ts";
export { type Generator, type GeneratorOptions, openGenerator } from "./generate/generator.ts";
export type { GenerateOptions, TextPiece } from "./generate/job.ts";
export { type ModelThread, type ModelThreadOptions, openModelThread } from "./generate/model-thread.ts";
export type { ChatMessage, TextPrompt } from "./generate/prompt-encoder.ts";
export type { Completion, GenerationRequest } from "./generate/request.ts";
export type { ServedCompletion, ServedLogProbability, TextReply } from "./generate/served-reply.ts";
export { streamText } from "./generate/stream-text.ts";
export type { TextRequest } from "./generate/text-service.ts";
export { initialWeights } from "./model/initial-weights.ts";
export { type LoraAdapter, mergeAdapter } from "./model/lora.ts";
export type { ModelConfig } from "./model/model-config.ts";
export type { Parameters, Tensor } from "./model/parameters.ts";
export { openSequenceScorer, type ScorerSettings, type SequenceScorer } from "./train/sequence-scorer.ts";
export { trainModel } from "./train/train-model.ts";
export { type TrainingData, trainingDataBuilder } from "./train/training-data.ts";
export { type GivenJob, type TrainingEvent, TrainingJob, type TrainingResult } from "./train/training-job.ts";
export { TrainingOptions } from "./train/training-options.ts";
export { trainInProcess } from "./train/training-process.ts";
export { readAdapter, writeAdapter } from "./weights/adapter.ts";
export { type Model, readModelFolder } from "./weights/model-folder.ts";
export { writeModelFolder } from "./weights/write-model-folder.ts";
