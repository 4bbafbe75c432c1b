export { type ModelServer, type ModelServerOptions, startModelServer } from "./model-server.ts";
export { type ScriptedModel, scriptedModel } from "./scripted-model.ts";
