// As /var/runtime/index.mjs of AWS's image up to Node.js 22.
import { run } from "./ric/index.mjs";
await run(process.env.LAMBDA_TASK_ROOT, process.env._HANDLER);
