/** The page in a real browser, whose only way out is a proxy of ours that counts who asks for what. */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import * as assert from 'uvu/assert'
import { page } from '../../bench/page.js'
import { sampleReport } from '../support/bench-report.js'
import { program } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('bench/page')
/** What the browser would ask for by itself. */
const QUIET = ['--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run', '--disable-gpu']
const BROWSER_MS = 120_000

/** Opens a page and gives it as the browser has it, and what was asked of the network meanwhile. */
async function opened(html: string): Promise<{ readonly document: string; readonly asked: readonly string[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'wolffia-page-'))
  const asked: string[] = []
  const proxy = createServer((request, response) => {
    asked.push(request.url ?? '')
    response.writeHead(404).end()
  })
  proxy.on('connect', (request, socket) => {
    asked.push(request.url ?? '')
    socket.end('HTTP/1.1 404 Not Found\r\n\r\n')
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  const address = proxy.address()
  const port = typeof address === 'object' ? address?.port : 0
  try {
    const file = join(folder, 'page.html')
    writeFileSync(file, html)
    const words = ['--headless', '--no-sandbox', ...QUIET, `--user-data-dir=${join(folder, 'profile')}`, `--proxy-server=127.0.0.1:${port}`]
    const { stdout } = await promisify(execFile)('chromium', [...words, '--dump-dom', `file://${file}`], {
      timeout: BROWSER_MS,
      maxBuffer: 2 ** 26,
      env: { PATH: process.env.PATH, HOME: folder },
    })
    return { document: stdout, asked }
  } finally {
    proxy.close()
    rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
  }
}

test.needs(program('chromium'))(
  'a browser shows every table and plot of the page, and nothing of it leaves for anywhere',
  async () => {
    const html = page(sampleReport())
    const { document, asked } = await opened(html)
    assert.ok((document.match(/<svg/g)?.length ?? 0) >= 3)
    assert.match(document, /a &lt;processor&gt;/)
    const ofThePage = asked.filter((url) => !/google|gstatic/.test(url))
    assert.equal(ofThePage, [])
    // The same with a picture from elsewhere and without the page's own policy: the proxy would have seen it.
    const leaking = html.replace(/<meta http-equiv[^>]*>/, '').replace('</body>', '<img src="http://elsewhere.test/pixel.png"></body>')
    assert.ok((await opened(leaking)).asked.some((url) => url.includes('elsewhere.test')))
    // And with the policy it is not asked for.
    const barred = html.replace('</body>', '<img src="http://elsewhere.test/pixel.png"></body>')
    assert.not((await opened(barred)).asked.some((url) => url.includes('elsewhere.test')))
  },
  { timeoutMs: 4 * BROWSER_MS },
)

test.run()
