// Who does the tasks: this thread, or one worker for each core; and a pipeline that has no more of them under way than there are
// hands for, plus a few waiting, so that memory does not grow with the log.

import { Worker } from 'node:worker_threads';
import type { Source } from './source.ts';
import { type ResultOf, runTask, type Task } from './tasks.ts';

export interface Crew {
  /** Tasks that it makes sense to have under way at once. */
  readonly capacity: number;
  run<T extends Task>(task: T): Promise<ResultOf<T>>;
  close(): Promise<void>;
}

export function crewOfOne(source: Source): Crew {
  return {
    capacity: 1,
    run: <T extends Task>(task: T) => runTask(source, task) as Promise<ResultOf<T>>,
    close: async () => {},
  };
}

interface Waiting {
  readonly task: Task;
  readonly resolve: (result: never) => void;
  readonly reject: (error: unknown) => void;
}

export function crewOfWorkers(directory: string, count: number): Crew {
  const waiting: Waiting[] = [];
  const idle: Worker[] = [];
  const workers: Worker[] = [];
  const busy = new Map<Worker, Waiting>();
  let failure: unknown;

  const next = (worker: Worker) => {
    const first = waiting.shift();
    if (first === undefined) {
      idle.push(worker);
      return;
    }
    busy.set(worker, first);
    worker.postMessage(first.task);
  };
  const hire = () => {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: directory });
    workers.push(worker);
    worker.on('message', ({ result, error }: { result?: never; error?: unknown }) => {
      const done = busy.get(worker)!;
      busy.delete(worker);
      next(worker);
      if (error === undefined) done.resolve(result as never);
      else done.reject(error);
    });
    // A thread that dies takes the check with it: half a check must not pass for a whole one.
    worker.on('error', (error) => {
      failure = error;
      for (const { reject } of [...busy.values(), ...waiting.splice(0)]) reject(error);
    });
    next(worker);
  };

  return {
    capacity: count + 2,
    run: <T extends Task>(task: T) =>
      new Promise<ResultOf<T>>((resolve, reject) => {
        if (failure !== undefined) {
          reject(failure);
          return;
        }
        waiting.push({ task, resolve, reject });
        const worker = idle.pop();
        if (worker !== undefined) next(worker);
        else if (workers.length < count) hire();
      }),
    close: async () => {
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}

/** Keeps at most `crew.capacity` tasks under way and hands on their results in the order they were given. */
export class Pipeline {
  readonly #crew: Crew;
  readonly #underWay: Promise<void>[] = [];

  constructor(crew: Crew) {
    this.#crew = crew;
  }

  async give<T extends Task>(task: T, take: (result: ResultOf<T>) => Promise<void> | void): Promise<void> {
    if (this.#underWay.length >= this.#crew.capacity) await this.#underWay.shift();
    const before = this.#underWay.at(-1);
    const result = this.#crew.run(task);
    // Marked as handled: it is awaited behind the one before it, whose failure comes first.
    result.catch(() => {});
    const step = (async () => {
      const done = await result;
      await before;
      await take(done);
    })();
    step.catch(() => {});
    this.#underWay.push(step);
  }

  async drain(): Promise<void> {
    while (this.#underWay.length > 0) await this.#underWay.shift();
  }
}
