import { dirname, resolve } from 'node:path'
import type { DockerCase } from '../e2e/docker-cases.js'
import { CommandLine } from './command-line.js'
import { BUSYBOX, NATIVE } from './requirements.js'
import { suite } from './suite.js'
import { assertGiven, CASE_SECONDS, typeCase } from './typed-case.js'

/** Docker's command line cases as tests, with wolffia in docker's place. */
export function dockerCases(name: string, cases: readonly DockerCase[]): { run(): void } {
  const test = suite(name)
  const wolffia = new CommandLine()
  const native = test.needs(NATIVE, BUSYBOX)
  const program = {
    words: resolve('dist/cli.cjs'),
    env: { PATH: `${dirname(process.execPath)}:${process.env.PATH}`, HOME: wolffia.folder, WOLFFIA_HOME: wolffia.home },
  }

  native('the image is imported', async () => {
    await wolffia.busybox()
    await wolffia.output('tag', 'busybox', 'box')
  })

  for (const one of cases)
    native(one.title, async () => assertGiven(await typeCase(program, one), one), { timeoutMs: (CASE_SECONDS + 30) * 1000 })

  test('nothing is left', () => wolffia.end())

  return test
}
