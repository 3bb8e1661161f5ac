// What a ledger's handle and its worker say to each other.

import type { KeyObject } from 'node:crypto';
import type { RootMaterial } from '../keys/root-key.ts';
import type { AppendRequest, Outcome } from './append-group.ts';
import type { LedgerErrorCode } from './ledger.ts';
import type { LedgerPaths } from './paths.ts';

/** Given to the worker at its start. Keys travel within the process only. */
export interface WorkerStart {
  readonly paths: LedgerPaths;
  readonly name: string;
  readonly origin: string;
  readonly keysDirectory: string;
  readonly roots: readonly RootMaterial[];
  readonly signingKey: KeyObject;
  readonly adopt: { readonly reason: string } | undefined;
  /** Room to keep for a full disk; 0 for none. */
  readonly reserveBytes: number;
}

export type ToWorker =
  | { readonly kind: 'append'; readonly requests: readonly AppendRequest[] }
  | { readonly kind: 'publish' }
  /** A root rotation begins: new epoch keys are wrapped by the first of these. */
  | { readonly kind: 'roots'; readonly roots: readonly RootMaterial[] }
  | { readonly kind: 'close' };

export interface WriterState {
  readonly size: number;
  readonly published: number;
  readonly root: string;
  readonly epoch: number;
  readonly records: number;
  readonly quarantined: number;
  /** Where the log ends. */
  readonly segment: number;
  readonly offset: number;
  readonly stopped: string | undefined;
}

export interface ErrorNote {
  readonly code: LedgerErrorCode | undefined;
  readonly message: string;
  readonly retryAfterSeconds: number | undefined;
}

/** Each message from the worker but `state` answers the oldest unanswered one to it. */
export type FromWorker =
  | { readonly kind: 'opened'; readonly state: WriterState; readonly tornBytes: number }
  | {
      readonly kind: 'appended';
      readonly outcomes: readonly Outcome[];
      readonly state: WriterState;
      /** The requests' slabs, to be used again. */
      readonly slabs: readonly ArrayBuffer[];
    }
  | { readonly kind: 'done'; readonly state: WriterState }
  | { readonly kind: 'failed'; readonly error: ErrorNote; readonly state: WriterState | undefined }
  /** Something was published in the meantime, or the writer stopped. */
  | { readonly kind: 'state'; readonly state: WriterState };
