// fairlead import: another program's configuration as ours on stdout, and on stderr, by line, what it could not carry over.
import { readdirSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { importKeepalived } from '../../../config/import/keepalived.ts';
import { formatLoss, type Loss } from '../../../config/import/losses.ts';
import { formatConfig } from '../../../config/import/output.ts';
import { parseConfig } from '../../../config/load.ts';
import { FairleadError } from '../../../model/error.ts';
import { openHost } from '../../ipvsadm/host.ts';
import type { Io } from '../io.ts';
import { importIpvsadm } from './import-ipvsadm.ts';

export async function importIpvsadmFile(io: Io, path: string): Promise<void> {
  const { configuration, losses } = await importIpvsadm(readText(path), nameOf(path), openHost());
  finish(io, formatConfig(configuration), losses);
}

/** `configId`: what lines that begin with @ are for. */
export function importKeepalivedFile(io: Io, path: string, configId = hostname().split('.')[0] ?? ''): void {
  const text = readText(path);
  const read = (wanted: string): string | undefined => (wanted === nameOf(path) ? text : readIfThere(wanted));
  const { configuration, losses } = importKeepalived(nameOf(path), { files: { read, list: listIfThere }, configId });
  finish(io, formatConfig(configuration), losses);
}

function finish(io: Io, yaml: string, losses: readonly Loss[]): void {
  parseConfig(Buffer.from(yaml), 'what was made of it');
  io.stdout.write(yaml);
  io.stderr.write(losses.map((loss) => `${formatLoss(loss)}\n`).join(''));
}

function nameOf(path: string): string {
  return path === '-' ? 'stdin' : path;
}

function readText(path: string): string {
  try {
    return readFileSync(path === '-' ? 0 : path, 'utf8');
  } catch (cause) {
    throw new FairleadError('bad-input', `${path}: ${(cause as Error).message}`, { cause });
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function listIfThere(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
