// A thread that runs tasks on a directory. Everything it does is in `tasks.ts`; this is only the door.

import { parentPort, workerData } from 'node:worker_threads';
import { DirectorySource } from './directory-source.ts';
import { runTask, type Task } from './tasks.ts';

const source = new DirectorySource(workerData as string);

parentPort!.on('message', async (task: Task) => {
  try {
    parentPort!.postMessage({ result: await runTask(source, task) });
  } catch (error) {
    parentPort!.postMessage({ error });
  }
});
