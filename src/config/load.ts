// From a configuration's bytes to what it declares, or to all that is wrong with it.
import { readFileSync } from 'node:fs';
import type { z } from 'zod';
import type { Declared } from '../model/declared.ts';
import { FairleadError } from '../model/error.ts';
import { describeIssue, toProblems } from './explain.ts';
import { parsePlain } from './plain.ts';
import { ConfigError, formatPath, type LocatedProblem, type Position, type Problem } from './problem.ts';
import type { Remembered } from './remembered.ts';
import { resolveFile, resolveServices } from './resolve/file.ts';
import { collectProblems } from './resolve/problems.ts';
import { file } from './schema/file.ts';
import { parseYaml, type Yaml } from './yaml.ts';

/** `-` is standard input. Throws ConfigError, and bad-input when there is no such file. */
export function loadConfig(path: string): Declared {
  const { bytes, name } = readConfig(path);
  return parseConfig(bytes, name);
}

/** As it is, and what errors call it. Throws bad-input when there is no such file. */
export function readConfig(path: string): { readonly bytes: Buffer; readonly name: string } {
  return { bytes: readBytes(path), name: path === '-' ? 'stdin' : path };
}

/** A file of its own, by its own schema. Throws as loadConfig does. */
export function loadFile<Value>(path: string, schema: z.ZodType<Value>): Value {
  const name = path === '-' ? 'stdin' : path;
  const yaml = parseYaml(decodeText(readBytes(path), name));
  if (yaml.problems.length > 0) throw new ConfigError(name, yaml.problems);
  const parsed = schema.safeParse(yaml.value, { error: describeIssue, reportInput: true });
  if (parsed.success) return parsed.data;
  throw new ConfigError(name, located(yaml, toProblems(parsed.error.issues)));
}

/** `name` is what errors call the file. What is remembered is not made again. Throws ConfigError. */
export function parseConfig(bytes: Uint8Array, name: string, remembered?: Remembered): Declared {
  const text = decodeText(bytes, name);
  const news = remembered && interpretNews(text, remembered);
  if (news !== undefined) return news;
  const plain = parsePlain(text);
  if (plain !== undefined) {
    const { declared } = interpret(plain);
    if (declared !== undefined) return declared;
  }
  // Whatever is wrong, the library knows where.
  const yaml = parseYaml(text);
  if (yaml.problems.length > 0) throw new ConfigError(name, yaml.problems);
  const { declared, problems } = interpret(yaml.value);
  if (declared !== undefined) return declared;
  throw new ConfigError(name, located(yaml, problems));
}

/** Only what was not there the last time is looked at. undefined where something is wrong, wherever that is. */
function interpretNews(text: string, remembered: Remembered): Declared | undefined {
  const news = remembered.news(text);
  const plain = news && parsePlain(news.text);
  if (news === undefined || plain === undefined) return undefined;
  const parsed = file.safeParse(plain);
  const problems = collectProblems();
  if (!parsed.success) return undefined;
  const services = resolveServices(parsed.data, problems, news.services);
  const declared = resolveFile(parsed.data, services, problems);
  if (problems.found.length > 0) return undefined;
  news.remember(services);
  return declared;
}

/** Without what the text was: a configuration as values, of YAML or of JSON. */
export function interpret(value: unknown): { declared?: Declared; problems: readonly Problem[] } {
  const parsed = file.safeParse(value, { error: describeIssue, reportInput: true });
  if (!parsed.success) return { problems: toProblems(parsed.error.issues) };
  const problems = collectProblems();
  const declared = resolveFile(parsed.data, resolveServices(parsed.data, problems), problems);
  return problems.found.length > 0 ? { problems: problems.found } : { declared, problems: [] };
}

function located(yaml: Yaml, problems: readonly Problem[]): readonly LocatedProblem[] {
  return problems
    .map((problem) => ({
      ...yaml.locate(problem),
      at: formatPath(problem.path),
      message: problem.before
        ? `${problem.message}: first in line ${yaml.locate({ path: problem.before }).line}`
        : problem.message,
    }))
    .sort((a, b) => a.line - b.line || a.column - b.column);
}

function readBytes(path: string): Buffer {
  try {
    return readFileSync(path === '-' ? 0 : path);
  } catch (cause) {
    throw new FairleadError('bad-input', `${path}: ${(cause as Error).message}`, { cause });
  }
}

function decodeText(bytes: Uint8Array, name: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    const { position, byte } = firstWrongByte(bytes);
    const message = `expected UTF-8, got the byte 0x${byte.toString(16).padStart(2, '0')}`;
    throw new ConfigError(name, [{ ...position, at: '', message }]);
  }
}

function firstWrongByte(bytes: Uint8Array): { position: Position; byte: number } {
  const text = new TextDecoder('utf-8').decode(bytes);
  let at = 0;
  const lines = [''];
  for (const letter of text) {
    const length = Buffer.byteLength(letter);
    const isThere = Buffer.from(letter).equals(bytes.subarray(at, at + length));
    if (!isThere) break;
    at += length;
    if (letter === '\n') lines.push('');
    else lines[lines.length - 1] += letter;
  }
  return { position: { line: lines.length, column: (lines.at(-1)?.length ?? 0) + 1 }, byte: bytes[at] ?? 0 };
}
