import { BASE_MODEL } from "./platform/platform-process.ts";
import { describeSuites } from "./platform/suite.ts";
import { pythonEnv } from "./python-env.ts";

describeSuites("nemo-microservices 1.5", await pythonEnv("requirements-toolkit.txt"), [
  {
    script: "entity_client.py",
    versions: { "nemo-microservices": /^1\.5\./ },
    sections: {
      namespaces: 12,
      projects: 8,
      datasets: 9,
      models: 17,
      "pages, sorts, filters, searches": 17,
      errors: 30,
      "the asynchronous client": 4,
    },
  },
  {
    script: "customizer_client.py",
    job: () => ({ base_model: BASE_MODEL }),
    versions: { "nemo-microservices": /^1\.5\./ },
    sections: {
      targets: 14,
      configs: 16,
      "a DPO job": 20,
      "a LoRA job on chats": 8,
      "jobs that cannot be": 17,
      "lists of jobs": 10,
      cancelling: 6,
    },
  },
  {
    script: "deployment_client.py",
    versions: { "nemo-microservices": /^1\.5\./ },
    sections: {
      "models to deploy": 1,
      "deployment configs": 10,
      "model deployments": 13,
      inference: 13,
      removal: 6,
    },
  },
]);
