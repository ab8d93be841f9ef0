---@brief
---
--- Ghost text from dllm-lsp, a language server with a diffusion language model that writes into the middle of code.
---
--- Needs Neovim 0.12 and the `dllm-lsp` program. Enable it, show its ghost text, and choose a key that accepts it:
---
--- ```lua
--- vim.lsp.enable('dllm_lsp')
--- vim.lsp.inline_completion.enable()
--- vim.keymap.set('i', '<Tab>', function()
---   return vim.lsp.inline_completion.get() and '' or '<Tab>'
--- end, { expr = true, desc = 'Accept the ghost text' })
--- ```
---
--- Settings go under the key `dllm-lsp`:
---
--- ```lua
--- vim.lsp.config('dllm_lsp', { settings = { ['dllm-lsp'] = { suggest = { confidence = 0.5 } } } })
--- ```

---@type vim.lsp.Config
return {
  cmd = { 'dllm-lsp', '--stdio' },
  filetypes = { 'python' },
  root_markers = { 'pyproject.toml', 'setup.py', 'setup.cfg', 'requirements.txt', '.git' },
}
