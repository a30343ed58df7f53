// What a command says as JSON.
import { run } from '../realserver/command.ts';

/** undefined where it fails. */
export function ask<T>(command: readonly string[]): T | undefined {
  try {
    return JSON.parse(run(command) || '[]') as T;
  } catch {
    return undefined;
  }
}
