// A configuration as the YAML of a file.
import { stringify } from 'yaml';
import type { Draft } from './draft.ts';

export function formatConfig(configuration: Draft): string {
  return stringify(configuration, { lineWidth: 0, aliasDuplicateObjects: false });
}
