// fairlead names: what a completion offers, as the other commands take it. Where it can't be found out, nothing.
import { settingNames } from '../../../model/settings.ts';
import { parseService } from '../daemon/names.ts';
import type { Io } from '../io.ts';
import { readView } from '../view/view.ts';
import { toServiceWord } from '../view/words.ts';

export type NameKind = 'services' | 'destinations' | 'settings';

export async function listNames(io: Io, kind: NameKind, service: string | undefined): Promise<void> {
  for (const name of await namesOf(kind, service)) io.stdout.write(`${name}\n`);
}

async function namesOf(kind: NameKind, service: string | undefined): Promise<readonly string[]> {
  if (kind === 'settings') return settingNames;
  try {
    const { services } = await readView();
    if (kind === 'services') return services.map(({ key }) => toServiceWord(key));
    const wanted = service === undefined ? undefined : parseService(service);
    const found = services.filter(({ key }) => wanted === undefined || key === wanted);
    return [...new Set(found.flatMap(({ destinations }) => destinations.map(({ key }) => key)))];
  } catch {
    return []; // it is no use to a completion to hear why
  }
}
