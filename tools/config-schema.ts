// Writes docs/config.schema.json, the JSON Schema of `portledger up --config`, from the definition that the program checks
// with. Run it after changing src/cli/config.ts:  node tools/config-schema.ts

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { configSchema } from '../src/cli/config.ts';

export const SCHEMA_FILE = join(import.meta.dirname, '../docs/config.schema.json');

export function formatConfigSchema(): string {
  const { $schema, ...rest } = z.toJSONSchema(configSchema, { io: 'input' });
  return `${JSON.stringify({ $schema, title: 'Portledger', ...rest }, undefined, 2)}\n`;
}

if (import.meta.main) writeFileSync(SCHEMA_FILE, formatConfigSchema());
