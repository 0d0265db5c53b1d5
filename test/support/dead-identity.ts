import { spawn } from 'node:child_process'
import { once } from 'node:events'
import * as assert from 'uvu/assert'
import { identityOf, type ProcessIdentity } from '../../src/store/process-identity.js'

/** Identity of a process that has ended. */
export async function deadIdentity(): Promise<ProcessIdentity> {
  const child = spawn('sleep', ['60'])
  const identity = identityOf(child.pid ?? 0)
  child.kill('SIGKILL')
  await once(child, 'exit')
  assert.ok(identity)
  return identity
}
