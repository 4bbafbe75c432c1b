import { test } from "vitest";
import { fakeTrainerAdapter } from "./fake-trainer-adapter.ts";
import { trainingBackendContract } from "./training-backend-contract.ts";

const nothing = { path: "nowhere.jsonl", rows: 0 };

trainingBackendContract(test, async () => ({
  backend: fakeTrainerAdapter().backend,
  files: { training: nothing, validation: nothing },
  deployable: "any",
}));
