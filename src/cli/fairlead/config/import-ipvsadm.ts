// What `ipvsadm -S` wrote, as a configuration: read by the lines' own rules, one by one.
import type { Draft } from '../../../config/import/draft.ts';
import type { Loss } from '../../../config/import/losses.ts';
import { writeTable } from '../../../config/import/table.ts';
import { FairleadError } from '../../../model/error.ts';
import { emptyTable } from '../../../model/service.ts';
import { type Edit, editTable } from '../../../model/table.ts';
import { editsOf } from '../../ipvsadm/edits.ts';
import type { Host } from '../../ipvsadm/host.ts';
import { type Invocation, openReader } from '../../ipvsadm/invocation.ts';
import { textOf } from '../../ipvsadm/refusal.ts';

export async function importIpvsadm(
  text: string,
  file: string,
  host: Host,
): Promise<{ configuration: Draft; losses: readonly Loss[] }> {
  const losses: Loss[] = [];
  const edits: Edit[] = [];
  const timeouts: Draft = {};
  const read = openReader(host);
  for (const [index, whole] of text.split('\n').entries()) {
    const words = whole.split(/[ \t\r]+/).filter((word) => word !== '');
    if (words.length === 0 || words[0]?.startsWith('#')) continue;
    const lose = (why: string): void => void losses.push({ file, line: index + 1, what: words.join(' '), why });
    try {
      const invocation = await read(words);
      const own = editsOf(invocation);
      if (invocation.command === 'set') Object.assign(timeouts, timeoutsOf(invocation));
      else if (own.length === 0) lose('it is no part of a table');
      edits.push(...own.map((edit) => skipping(edit, lose)));
    } catch (error) {
      if (!(error instanceof FairleadError)) throw error;
      lose(reasonOf(error));
    }
  }
  const table = editTable(emptyTable, edits, await host.broadcasts());
  return {
    configuration: { ...writeTable(table), ...(Object.keys(timeouts).length > 0 && { timeouts }) },
    losses: losses.toSorted((a, b) => a.line - b.line),
  };
}

function timeoutsOf({ timeouts: [tcp, tcpFin, udp] }: Invocation): Draft {
  const given = Object.entries({ tcp, tcp_fin: tcpFin, udp }).filter(([, seconds]) => seconds > 0);
  return Object.fromEntries(given.map(([name, seconds]) => [name, `${seconds}s`]));
}

/** A line that the table refuses does nothing. */
function skipping(edit: Edit, lose: (why: string) => void): Edit {
  return (draft) => {
    try {
      edit(draft);
    } catch (error) {
      if (!(error instanceof FairleadError)) throw error;
      lose(reasonOf(error));
    }
  };
}

function reasonOf(error: FairleadError): string {
  return textOf(error).trim().split('\n')[0] ?? '';
}
