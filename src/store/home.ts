import { userInfo } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { EngineError } from '../errors.js'

/**
 * Folder that images and containers are kept in: `$WOLFFIA_HOME`, else `$XDG_DATA_HOME/wolffia`, else
 * `~/.local/share/wolffia`. A relative `$XDG_DATA_HOME` is ignored, as the XDG specification asks; a relative `$WOLFFIA_HOME` or
 * `$HOME` is an error, because it would mean another store in every folder. Throws INVALID_ARGUMENT.
 */
export function defaultHome(env: NodeJS.ProcessEnv = process.env): string {
  const { WOLFFIA_HOME: own, XDG_DATA_HOME: shared } = env
  if (own) return absolute('WOLFFIA_HOME', own)
  return join(shared && isAbsolute(shared) ? shared : join(homeOfUser(env), '.local/share'), 'wolffia')
}

/** `$HOME`, or what /etc/passwd says where that is empty or not set. */
function homeOfUser({ HOME: home }: NodeJS.ProcessEnv): string {
  if (home) return absolute('HOME', home)
  try {
    return absolute('the home folder in /etc/passwd', userInfo().homedir)
  } catch (cause) {
    if (cause instanceof EngineError) throw cause
    throw new EngineError('INVALID_ARGUMENT', 'there is no home folder: HOME is not set and this user is not in /etc/passwd', {
      cause,
      hint: 'Set WOLFFIA_HOME to a folder of your own.',
    })
  }
}

function absolute(name: string, path: string): string {
  if (isAbsolute(path)) return path
  throw new EngineError('INVALID_ARGUMENT', `${name} is ${JSON.stringify(path)}, which is no absolute path`, {
    hint: name === 'WOLFFIA_HOME' ? `Set it to one: export WOLFFIA_HOME="$PWD/${path}"` : 'Set WOLFFIA_HOME to a folder of your own.',
  })
}
