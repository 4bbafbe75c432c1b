export { z } from "zod";
export { PairwrightError } from "./lib/errors.ts";
export type { CollectResult } from "./pipeline/collect.ts";
export { type CollectOptions, chatModel, collect } from "./pipeline/collect-function.ts";
export type { Message, Tool, ToolCall } from "./records/message.ts";
export type { PreferencePair } from "./records/pair.ts";
export type { BrokenRollout, RolloutRecord } from "./records/rollout.ts";
export type { RunRecord } from "./records/run.ts";
export type { IntermediateStep } from "./records/step.ts";
export type { Usage } from "./records/usage.ts";
export type { ChatModel, ChatOptions, Choice, Completion } from "./registry/chat-model.ts";
export type { DatasetReader, DatasetRow } from "./registry/dataset.ts";
export type { Evaluation, Evaluator } from "./registry/evaluator.ts";
export { definePlugin, type Plugin } from "./registry/plugin.ts";
export {
  editRef,
  evaluatorRef,
  functionRef,
  llmRef,
  scorerRef,
  searchRef,
  selectorRef,
  trainerAdapterRef,
  trainerRef,
  trajectoryBuilderRef,
} from "./registry/refs.ts";
export type { BuildArguments, Component, Kind, Registry } from "./registry/registry.ts";
export type {
  DatasetFormat,
  FormatOptions,
  ReadPair,
  RolloutReader,
  SkipCounts,
  Trainer,
  TrainerAdapter,
  TrajectoryBuilder,
} from "./registry/training.ts";
export type {
  DeploymentStatus,
  JobState,
  JobStatus,
  JobSteps,
  Json,
  TrainingBackend,
  TrainingFile,
  TrainingFiles,
} from "./registry/training-backend.ts";
export type {
  BoundFunction,
  Candidate,
  ChooseOptions,
  Edit,
  Example,
  Question,
  RunContext,
  Sample,
  Sampled,
  SampleFunction,
  ScoreResult,
  Scorer,
  Search,
  Selector,
  Slot,
  StepInput,
  Together,
  Turn,
  WorkflowFunction,
} from "./registry/workflow.ts";
