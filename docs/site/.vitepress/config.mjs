import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { slug } from 'github-slugger'
import { defineConfig } from 'vitepress'

// scripts/docs.mjs has put the pages there.
const work = process.env.DOCS_WORK
const address = process.env.DOCS_ADDRESS
const base = address ? new URL(address).pathname : '/'

export default defineConfig({
  title: 'wuerstchen',
  description: 'The Würstchen v2 text-to-image model in Node.js, on LibTorch',
  lang: 'en-GB',
  base,
  head: [['link', { rel: 'icon', type: 'image/svg+xml', href: `${base}icon.svg` }]],
  srcDir: join(work, 'pages'),
  cacheDir: join(work, 'cache'),
  ...(address ? { sitemap: { hostname: address } } : {}),
  markdown: {
    // Pages are read on GitHub too, so anchors are made as GitHub makes them.
    anchor: { slugify: text => slug(text) },
    toc: { slugify: text => slug(text) },
    config: md => {
      // Vue would take two braces of a text for an expression.
      for (const name of ['text', 'code_inline']) {
        const render = md.renderer.rules[name]
        md.renderer.rules[name] = (...args) => render(...args).replaceAll('{{', '&#123;&#123;')
      }
    }
  },
  themeConfig: {
    sidebar: JSON.parse(readFileSync(join(work, 'navigation.json'), 'utf8')),
    outline: [2, 3],
    search: {
      provider: 'local',
      options: {
        miniSearch: {
          // Words of a question that every page has, and pages that mention everything, would come first. These functions run in
          // the browser, from their text: they see nothing of this file.
          options: {
            processTerm: term =>
              /^(?:how|do|does|i|a|an|the|to|is|in|of|can|it|my|use)$/i.test(term) ? null : term.toLowerCase()
          },
          searchOptions: {
            boostDocument: id =>
              /changelog|verification|architecture|contributing/.test(id)
                ? 0.2
                : /reference/.test(id)
                  ? 0.6
                  : /how-do-i/.test(id)
                    ? 1.5
                    : 1
          }
        }
      }
    },
    nav: [
      { text: 'How do I …?', link: '/how-do-i' },
      { text: 'API', link: '/reference/wuerstchen/' },
      { text: 'Changes', link: '/changelog' }
    ]
  }
})
