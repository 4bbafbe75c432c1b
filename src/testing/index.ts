export {
  type FakeDeployment,
  type FakeStatus,
  type FakeTraining,
  type FakeTrainingOptions,
  fakeTrainerAdapter,
} from "./fake-trainer-adapter.ts";
export { type ModelServer, type ModelServerOptions, startModelServer } from "./model-server.ts";
export type { Fault } from "./model-server-fault.ts";
export type { ModelCall, ModelReply, ModelRequest, ReplyFunction } from "./model-server-reply.ts";
export { type Script, type ScriptedAnswer, type ScriptedModel, scriptedModel } from "./scripted-model.ts";
export { type BackendUnderTest, stepsInMemory, trainingBackendContract } from "./training-backend-contract.ts";
