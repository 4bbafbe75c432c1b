import { BASE_MODEL } from "./platform/platform-process.ts";
import { describeSuites } from "./platform/suite.ts";
import { pythonEnv } from "./python-env.ts";

describeSuites("transformers and peft", await pythonEnv(), [
  {
    script: "trained_models.py",
    versions: { transformers: /^5\./, peft: /^0\.21\./ },
    sections: { "jobs and deployments": 3, "all weights": 6, "an adapter": 3, push_to_hub: 1, "they differ": 2 },
    job: () => ({ base_model: BASE_MODEL }),
  },
]);
