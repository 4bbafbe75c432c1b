import { BASE_MODEL } from "./platform/platform-process.ts";
import { describeSuites } from "./platform/suite.ts";
import { pythonEnv } from "./python-env.ts";

const found = await pythonEnv("requirements-toolkit.txt");

describeSuites("nemo-microservices 1.5", found, [
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
      "other forms": 8,
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

const guarded = {
  script: "guarded_client.py",
  versions: { "nemo-microservices": /^1\.5\./ },
  sections: { services: 6, hub: 6 },
};
describeSuites("nemo-microservices 1.5 where a token is needed", found, [guarded], { token: "the-token-of-this-test" });
