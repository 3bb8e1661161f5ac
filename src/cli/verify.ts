import type { Command } from 'commander';
import type { Invocation } from './invocation.ts';

export function define(_command: Command, _invocation: Invocation): void {}
