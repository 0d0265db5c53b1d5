import { join } from 'node:path'

/** The upper directory that the native wall keeps in the folder of a container that is not ephemeral, once it has run. */
export function keptUpper(directory: string): string {
  return join(directory, 'native', 'upper')
}
