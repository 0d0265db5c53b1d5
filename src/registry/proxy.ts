/**
 * Which proxy leads to a host: HTTP_PROXY, HTTPS_PROXY and NO_PROXY as curl and Go's programs read them, the lower-case name first. A
 * loopback address is never asked for through a proxy (as Go has it).
 */
import { BlockList, isIP } from 'node:net'
import { EngineError } from '../errors.js'

/** The proxy for `url`; null when it is reached directly. Throws INVALID_ARGUMENT for a variable that is no URL. */
export function proxyFor(url: URL, environment: NodeJS.ProcessEnv): URL | null {
  const host = bareHost(url.hostname)
  if (isLoopback(host) || isExempt(url, host, read(environment, 'no_proxy'))) return null
  const name = url.protocol === 'https:' ? 'https_proxy' : 'http_proxy'
  const value = read(environment, name)
  if (value === '') return null
  const text = /^[a-z0-9+.-]+:\/\//i.test(value) ? value : `http://${value}`
  const proxy = URL.canParse(text) ? new URL(text) : null
  if (proxy === null || (proxy.protocol !== 'http:' && proxy.protocol !== 'https:'))
    throw new EngineError(
      'INVALID_ARGUMENT',
      `${name.toUpperCase()} is ${JSON.stringify(withoutPassword(value))}, which is no HTTP proxy`,
      {
        hint: 'Write http://HOST:PORT, or unset it.',
      },
    )
  return proxy
}

/** The host name without the brackets of an IPv6 address. */
export function bareHost(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, '$1')
}

/** Whether `host` is this machine by its very name. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost') || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}

/** A name in upper case counts too, but for HTTP_PROXY in a CGI program, where a client chooses it (httpoxy). */
function read(environment: NodeJS.ProcessEnv, name: string): string {
  const upper = name === 'http_proxy' && environment.REQUEST_METHOD !== undefined ? undefined : environment[name.toUpperCase()]
  return environment[name] || upper || ''
}

function isExempt(url: URL, host: string, list: string): boolean {
  const port = url.port || (url.protocol === 'https:' ? '443' : '80')
  return list
    .split(',')
    .map((entry) => entry.trim().toLowerCase())
    .some((entry) => {
      if (entry === '') return false
      if (entry === '*') return true
      if (entry.includes('/')) return isWithin(host, entry)
      const [, name = entry, wantedPort] = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(entry) ?? []
      if (wantedPort !== undefined && wantedPort !== port) return false
      const suffix = bareHost(name).replace(/^\*?\./, '')
      return host === suffix || (isIP(host) === 0 && host.endsWith(`.${suffix}`))
    })
}

function isWithin(host: string, network: string): boolean {
  const [address = '', bits = ''] = network.split('/')
  const family = isIP(address)
  if (family === 0 || family !== isIP(host) || !/^\d{1,3}$/.test(bits) || Number(bits) > (family === 4 ? 32 : 128)) return false
  const kind = family === 4 ? 'ipv4' : 'ipv6'
  const list = new BlockList()
  list.addSubnet(address, Number(bits), kind)
  return list.check(host, kind)
}

function withoutPassword(text: string): string {
  return text.replace(/\/\/[^@/]*@/, '//…@')
}
