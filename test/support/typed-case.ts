/** Types the lines of a case of docker's command line (e2e/docker-cases.ts) with a program in docker's place, and compares what it gives. */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import * as assert from 'uvu/assert'
import type { DockerCase, Given } from '../e2e/docker-cases.js'
import type { Ended } from './command-line.js'

/** How long the lines of one case may take. */
export const CASE_SECONDS = 30

/** What the lines of a case may call. */
const PRELUDE = `
up() { name=$1; shift; $docker run -d --init --name $name "$@" box sleep 60 >/dev/null; }
until_is() { until [ "$($docker inspect -f '{{.State.Status}}' $2)" = $1 ]; do sleep 0.1; done; }
until_gone() { while $docker inspect $1 >/dev/null 2>&1; do sleep 0.1; done; }
`

/** A program in docker's place: words of a shell, and its environment. */
export interface DockerProgram {
  readonly words: string
  readonly env: NodeJS.ProcessEnv
}

/** Runs lines of shell in which `$docker` is the program. */
export function typeLines({ words, env }: DockerProgram, lines: string, cwd: string): Promise<Ended> {
  const running = promisify(execFile)('timeout', [String(CASE_SECONDS), 'sh', '-c', PRELUDE + lines], {
    cwd,
    env: { ...env, docker: words },
  })
  running.child.stdin?.end()
  return running.then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }) => ({ code, stdout, stderr }),
  )
}

/** Types a case in a folder of its own, and removes the containers that it leaves. */
export async function typeCase(program: DockerProgram, { lines }: DockerCase): Promise<Ended> {
  const folder = mkdtempSync(join(tmpdir(), 'wolffia-case-'))
  const ids = async () => (await typeLines(program, '$docker ps -aq', folder)).stdout.split('\n').filter(Boolean)
  const before = new Set(await ids())
  try {
    return await typeLines(program, lines, folder)
  } finally {
    const left = (await ids()).filter((id) => !before.has(id))
    if (left.length > 0) await typeLines(program, `$docker rm -fv ${left.join(' ')}`, folder)
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Fails unless what a program gave is what was to be. */
export function assertGiven(ended: Ended, given: Given): void {
  const shown = { code: ended.code, stdout: normalised(ended.stdout), stderr: errorText(ended.stderr) }
  const problem = JSON.stringify(shown)
  assert.is(shown.code, given.code ?? 0, problem)
  for (const [is, wanted] of [
    [shown.stdout, given.stdout ?? ''],
    [shown.stderr, given.stderr ?? ''],
  ] as const)
    if (typeof wanted === 'string') assert.is(is, wanted, problem)
    else assert.match(is, wanted, problem)
}

/** Without what differs from one run to the next. */
function normalised(text: string): string {
  return text
    .replace(/\b[0-9a-f]{64}\b/g, 'ID')
    .replace(/\b[0-9a-f]{12}\b/g, 'SHORT')
    .replace(/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z/g, 'TIME')
}

const PREFIXES = /^(?:(?:wolffia|docker): |Error response from daemon: |Error: )+(.)/gm

/** Without the words that are a program's own. */
function errorText(text: string): string {
  return normalised(text).replace(PREFIXES, (_all, first: string) => first.toLowerCase())
}
