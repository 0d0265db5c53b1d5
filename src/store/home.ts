import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { EngineError } from '../errors.js'

/**
 * Folder that images and containers are kept in: `$WOLFFIA_HOME`, else `$XDG_DATA_HOME/wolffia`, else
 * `~/.local/share/wolffia`. A relative `$XDG_DATA_HOME` is ignored, as the XDG specification asks; a relative `$WOLFFIA_HOME`
 * is an error, because it would mean another store in every folder.
 */
export function defaultHome(env: NodeJS.ProcessEnv = process.env): string {
  const { WOLFFIA_HOME: own, XDG_DATA_HOME: shared } = env
  if (own) {
    if (isAbsolute(own)) return own
    throw new EngineError('INVALID_ARGUMENT', `WOLFFIA_HOME is ${JSON.stringify(own)}, which is no absolute path`, {
      hint: `Set it to one: export WOLFFIA_HOME="$PWD/${own}"`,
    })
  }
  return join(shared && isAbsolute(shared) ? shared : join(homedir(), '.local/share'), 'wolffia')
}
