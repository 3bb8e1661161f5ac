// The pieces of work that a check is cut into. Each is a pure function of the source and of a task that can be sent to a worker.

import { CHUNK_ENTRIES, type ChunkResult, type ChunkTask, checkChunk } from './check-chunk.ts';
import { checkSpan } from './check-span.ts';
import {
  checkTileDirectory,
  emptyTileDirectoryResult,
  type TileDirectoryResult,
  type TileDirectoryTask,
} from './check-tile-directory.ts';
import { type Source, SourceError } from './source.ts';
import { emptySpanResult, type SpanResult, type SpanTask } from './span-task.ts';

export type Task = ChunkTask | SpanTask | TileDirectoryTask;

export type ResultOf<T extends Task> = T extends ChunkTask
  ? ChunkResult
  : T extends SpanTask
    ? SpanResult
    : TileDirectoryResult;

/** A file that cannot be read is a problem of the log like any other; whatever else goes wrong is ours. */
export async function runTask(source: Source, task: Task): Promise<ResultOf<Task>> {
  try {
    return await dispatch(source, task);
  } catch (error) {
    if (!(error instanceof SourceError)) throw error;
    return unreadable(task, error);
  }
}

function dispatch(source: Source, task: Task): Promise<ResultOf<Task>> {
  switch (task.kind) {
    case 'chunk':
      return checkChunk(source, task);
    case 'span':
      return checkSpan(source, task);
    case 'tiles':
      return checkTileDirectory(source, task);
    default:
      return task satisfies never;
  }
}

function unreadable(task: Task, { path, message }: SourceError): ResultOf<Task> {
  const report = (from: number, to: number) => [{ file: path, from, to, problem: message }];
  switch (task.kind) {
    case 'chunk': {
      const from = task.chunk * CHUNK_ENTRIES;
      const problems = report(from, Math.min(task.size, from + CHUNK_ENTRIES));
      return {
        problems,
        isKnown: false,
        facts: [],
        tileRoots: undefined,
        edge: undefined,
        edgeDispute: undefined,
      };
    }
    case 'span': {
      const problems = report(task.from.index, task.to?.index ?? task.size);
      return { ...emptySpanResult(), problems };
    }
    case 'tiles':
      return { ...emptyTileDirectoryResult(), problems: report(0, task.size) };
    default:
      return task satisfies never;
  }
}
