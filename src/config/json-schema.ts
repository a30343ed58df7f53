// The configuration's JSON Schema, by which editors complete and check it.
import { z } from 'zod';
import { file } from './schema/file.ts';

export function toJsonSchema(): object {
  return z.toJSONSchema(file, { io: 'input' });
}
