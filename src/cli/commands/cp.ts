import { EngineError } from '../../errors.js'
import type { CliCommand } from '../command.js'
import { humanSize } from '../output.js'
import { writeToStdout } from '../output-file.js'

/** `wolffia cp`: files out of a container and into one, running or not. */
export const command: CliCommand = {
  usage: 'CONTAINER:SRC_PATH DEST_PATH|-\n       wolffia cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH',
  arity: [2, 2],
  configure(parser) {
    parser
      .option('-a, --archive', 'into a container: keep the numbers of the owners')
      .option('-L, --follow-link', 'copy what a symlink at the end of SRC_PATH leads to')
      .option('-q, --quiet', 'print nothing; so it is unless stdout is a terminal')
  },
  async run([source = '', destination = ''], { archive, followLink, quiet }) {
    const [from, to] = [splitWord(source), splitWord(destination)]
    if (from.path === '') throw new EngineError('INVALID_ARGUMENT', 'source can not be empty')
    if (to.path === '') throw new EngineError('INVALID_ARGUMENT', 'destination can not be empty')
    if (from.container !== null && to.container !== null)
      throw new EngineError('INVALID_ARGUMENT', 'copying between containers is not supported', {
        hint: `Through a pipe: wolffia cp ${source} - | wolffia cp - ${destination}`,
      })
    const name = from.container ?? to.container
    if (name === null)
      throw new EngineError('INVALID_ARGUMENT', 'must specify at least one container source', {
        hint: 'Write CONTAINER:PATH for one of them; a path of the host that holds a colon is written with ./ before it.',
      })
    const { Engine } = await import('../../engine/engine.js')
    await using engine = await Engine.open()
    const container = await engine.containers.get(name)
    const options = { followLink: followLink === true, keepOwners: archive === true }
    if (from.container !== null && to.path === '-') {
      refuseTerminal(process.stdout.isTTY)
      const { tar } = await container.copyOut(from.path)
      await writeToStdout(tar)
      return 0
    }
    if (from.path === '-' && to.container !== null) {
      await engine.containers.copyTarTo(container, to.path, process.stdin)
      return 0
    }
    const copied =
      from.container === null
        ? await engine.containers.copyFromHost(container, from.path, to.path, options)
        : await engine.containers.copyToHost(container, from.path, to.path, options)
    if (!(quiet ?? !process.stdout.isTTY)) process.stderr.write(`Successfully copied ${humanSize(copied.bytes)} to ${copied.destination}\n`)
    return 0
  },
}

/** `CONTAINER:PATH`; a path of the host begins with a dot or a slash, or has no colon. */
function splitWord(word: string): { readonly container: string | null; readonly path: string } {
  const colon = word.indexOf(':')
  if (colon < 0 || word.startsWith('.') || word.startsWith('/')) return { container: null, path: word }
  return { container: word.slice(0, colon), path: word.slice(colon + 1) }
}

/** An archive of a guest's would have its say at the terminal. */
function refuseTerminal(isTerminal: boolean): void {
  if (!isTerminal) return
  throw new EngineError('INVALID_ARGUMENT', 'refusing to write an archive to a terminal', {
    hint: 'Send it through a pipe or into a file.',
  })
}
