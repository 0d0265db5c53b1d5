import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { text as readText } from 'node:stream/consumers'
import type { BuildEvent } from '../../build/progress.js'
import type { ErrorLocation } from '../../build/source.js'
import type { BuildOptions } from '../../engine/build-options.js'
import type { Engine } from '../../engine/engine.js'
import { EngineError, messageOf } from '../../errors.js'
import type { PushEvent } from '../../registry/push-event.js'
import type { CliCommand, CliOptions } from '../command.js'
import { SignalRelay } from '../foreground.js'
import { limitsOf } from '../limit-flags.js'
import { printable } from '../output.js'
import { assertWritablePath } from '../output-file.js'
import { PullProgress } from '../pull-progress.js'
import { PushProgress } from '../push-progress.js'
import { UsageError } from '../report.js'
import { addBuildResourceFlags, resourceOptions } from '../resource-flags.js'

const collect = (value: string, before: readonly string[] | undefined) => [...(before ?? []), value]

/** `wolffia build`: builds an image of a Dockerfile, printing what docker's classic builder prints. */
export const command: CliCommand = {
  usage: 'PATH|-',
  arity: [1, 1],
  configure(parser) {
    addBuildResourceFlags(parser)
    parser
      .option('-f, --file <file>', 'the Dockerfile; PATH/Dockerfile unless said, - for stdin')
      .option('-t, --tag <name>', 'name for the image, NAME[:TAG]; may be given more than once', collect)
      .option('-q, --quiet', 'print the id of the image and nothing else')
      .option('--build-arg <name=value>', 'value of an ARG; without =, that of this environment', collect)
      .option('--iidfile <file>', 'write the id of the image into a file')
      .option('--label <name=value>', 'label for the image', collect)
      .option('--network <mode>', 'network of every RUN: none, the default, or host')
      .option('--no-cache', 'run every step; it is always so, as there is no cache yet')
      .option('--platform <os/arch>', "linux/amd64, wasi/wasm, or several with commas between; this machine's Linux unless said")
      .option('--progress <form>', 'plain, the only one: a line for each step')
      .option('--pull', 'pull the images of FROM, those that are here too')
      .option('--push', 'give the image to the registries of its names afterwards')
      .option('--target <stage>', 'the stage to build; the last one unless said')
      .addHelpText(
        'after',
        '\nPATH is a folder; - is a tar or a Dockerfile from stdin. Built are FROM, ARG, COPY, RUN and what sets the config.\nRUN needs the native wall; it has no network unless --network host.',
      )
  },
  async run([path = ''], options) {
    const wanted = await buildOptions(path, options)
    if (options.push === true && (wanted.tags ?? []).length === 0)
      throw new EngineError('INVALID_ARGUMENT', 'tag is needed when pushing to registry', {
        hint: 'Name it after where it goes: -t registry.example/team/app:1.',
      })
    if (options.iidfile !== undefined) assertWritablePath(String(options.iidfile))
    const quiet = options.quiet === true
    const kept: string[] = []
    const write = quiet
      ? (text: string | Uint8Array) => void kept.push(Buffer.from(text).toString())
      : (text: string | Uint8Array) => void process.stdout.write(text)
    const progress = new PullProgress(process.stderr)
    const signals = new SignalRelay()
    try {
      const { Engine } = await import('../../engine/engine.js')
      await using engine = await Engine.open()
      const image = await engine.images.build({
        ...wanted,
        signal: signals.signal,
        onEvent: (event) => {
          if (event.event === 'pull') {
            if (!quiet) progress.show(event.progress)
            return
          }
          // As docker: what a program says on stderr stays there.
          if (event.event === 'output' && event.stream === 'stderr' && !quiet) process.stderr.write(event.bytes)
          else write(textOf(event))
        },
      })
      if (options.iidfile !== undefined) writeId(String(options.iidfile), image.id)
      if (quiet) process.stdout.write(`${image.id}\n`)
      else {
        write(`Successfully built ${shortId(image.id)}\n`)
        for (const name of image.references) write(`Successfully tagged ${name}\n`)
      }
      if (options.push === true) await pushAll(engine, wanted.tags ?? [], { isQuiet: quiet, signal: signals.signal })
      return 0
    } catch (error) {
      if (error instanceof EngineError && error.code === 'ABORTED' && signals.abortedExitCode !== null) return signals.abortedExitCode
      if (quiet) process.stderr.write(kept.join(''))
      showPlace(error, wanted)
      throw error
    } finally {
      signals.dispose()
    }
  },
}

/** After the build, which stays when this fails. */
async function pushAll(
  engine: Engine,
  names: readonly string[],
  { isQuiet, signal }: { readonly isQuiet: boolean; readonly signal: AbortSignal },
): Promise<void> {
  const progress = new PushProgress(process.stdout)
  for (const name of new Set(names))
    await engine.images.push(name, { signal, ...(isQuiet ? {} : { progress: (event: PushEvent) => progress.show(event) }) })
}

async function buildOptions(path: string, options: CliOptions): Promise<BuildOptions> {
  const { file, tag, buildArg, label, network, platform, progress, pull, target } = options
  if (progress !== undefined && progress !== 'plain' && progress !== 'auto')
    throw new EngineError('NOT_BUILT', `--progress ${progress} is not built yet`, { hint: 'Leave it out: progress is plain.' })
  if (network !== undefined && network !== 'none' && network !== 'host')
    throw new EngineError('NOT_BUILT', `--network ${network} is not built yet`, {
      hint: 'There is --network none, the default, and --network host.',
    })
  return {
    ...(await contextOf(path, file === undefined ? undefined : String(file))),
    pull: pull === true ? 'always' : 'missing',
    tags: (tag as readonly string[] | undefined) ?? [],
    buildArgs: pairsOf((buildArg as readonly string[] | undefined) ?? [], '--build-arg', process.env),
    labels: pairsOf((label as readonly string[] | undefined) ?? [], '--label', {}),
    limits: limitsOf(options),
    resources: resourceOptions(options),
    ...(network === undefined ? {} : { network }),
    ...(platform === undefined ? {} : { platform: String(platform) }),
    ...(target === undefined ? {} : { target: String(target) }),
  }
}

async function contextOf(path: string, file: string | undefined): Promise<Pick<BuildOptions, 'context' | 'dockerfile' | 'dockerfileText'>> {
  if (
    /^(https?:\/\/|git:\/\/|git@|github\.com\/)/.test(path) ||
    (/\.git(#.*)?$/.test(path) && statSync(path, { throwIfNoEntry: false }) === undefined)
  )
    throw new EngineError('NOT_BUILT', `building from a URL is not built yet: ${path}`, {
      hint: `Fetch it first: git clone, then wolffia build FOLDER; or curl -L URL | wolffia build -`,
    })
  if (path === '-' && file === '-')
    throw new EngineError('INVALID_ARGUMENT', "invalid argument: can't use stdin for both build context and dockerfile", {
      hint: 'Name a folder: wolffia build -f - .',
    })
  if ((path === '-' || file === '-') && process.stdin.isTTY)
    throw new UsageError('stdin is a terminal', { exitCode: 1, hint: 'Pipe a tar or a Dockerfile in, or name a folder: wolffia build .' })
  if (path === '-') return { context: process.stdin, ...(file === undefined ? {} : { dockerfile: file }) }
  if (file === '-') return { context: path, dockerfileText: await readText(process.stdin) }
  return { context: path, ...(file === undefined ? {} : { dockerfile: file }) }
}

function pairsOf(words: readonly string[], flag: string, environment: NodeJS.ProcessEnv): Readonly<Record<string, string>> {
  return Object.fromEntries(
    words.flatMap((word) => {
      const equals = word.indexOf('=')
      const name = equals < 0 ? word : word.slice(0, equals)
      if (name === '')
        throw new EngineError('INVALID_ARGUMENT', `invalid argument ${JSON.stringify(word)} for ${flag}`, { hint: 'Write NAME=value.' })
      if (equals >= 0) return [[name, word.slice(equals + 1)] as const]
      if (flag === '--label') return [[name, ''] as const]
      const value = environment[name]
      return value === undefined ? [] : [[name, value] as const]
    }),
  )
}

function textOf(event: Exclude<BuildEvent, { event: 'pull' }>): string | Uint8Array {
  switch (event.event) {
    case 'platform':
      return `Platform ${event.platform}\n`
    case 'step':
      return `Step ${event.number}/${event.total} : ${printable(event.instruction)}\n`
    case 'running':
      return ` ---> Running in ${event.container}\n`
    case 'removed':
      return ` ---> Removed intermediate container ${event.container}\n`
    case 'image':
      return ` ---> ${shortId(event.id)}\n`
    case 'warning':
      return `[Warning] ${printable(event.message)}\n`
    case 'output':
      return event.bytes
  }
}

function shortId(id: string): string {
  return id.replace(/^sha256:/, '').slice(0, 12)
}

function writeId(path: string, id: string): void {
  try {
    writeFileSync(path, id)
  } catch (cause) {
    throw new EngineError('INVALID_ARGUMENT', `cannot write the id to ${path}: ${messageOf(cause)}`, { cause })
  }
}

/** Shows the lines of the Dockerfile that an error is about, as docker does: two before and after, the guilty ones with `>>>`. */
function showPlace(error: unknown, { context, dockerfile, dockerfileText }: BuildOptions): void {
  if (!(error instanceof EngineError) || error.data.line === undefined) return
  const { dockerfile: name, line, lastLine } = error.data as unknown as ErrorLocation
  const text = dockerfileText ?? (typeof context === 'string' ? readAgain(dockerfile ?? `${context}/Dockerfile`) : null)
  if (text === null) return
  const rule = '--------------------'
  const shown = text
    .replace(/\r?\n$/, '')
    .split(/\r?\n/)
    .map((content, place) => ({ content, number: place + 1 }))
    .filter(({ number }) => number >= line - 2 && number <= lastLine + 2)
    .map(
      ({ content, number }) =>
        `${String(number).padStart(4)} | ${number >= line && number <= lastLine ? '>>>' : '   '} ${printable(content)}`,
    )
  process.stderr.write(`${printable(name)}:${line}\n${rule}\n${shown.join('\n').trimEnd()}\n${rule}\n`)
}

function readAgain(path: string): string | null {
  try {
    // What came through a pipe is gone.
    return statSync(path).isFile() ? readFileSync(path, 'utf8') : null
  } catch {
    return null
  }
}
