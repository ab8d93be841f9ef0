-- Uses dllm-lsp in Neovim as a person does: opens a file, types at the end of a line, sees ghost text, accepts it or
-- types something else. Reads DLLM_LSP_DRIVER from the environment: JSON with command (null for the one in
-- lsp/dllm_lsp.lua), settings, file, line (from 1), act ("accept" or "contradict") and result, the path of the JSON
-- file to write: {ghost, lines} or {error}.

local input = vim.json.decode(vim.env.DLLM_LSP_DRIVER, { luanil = { object = true } })
local patience_ms, step_ms, retype_ms = 150000, 20, 2000
local driver

local function finish(outcome)
  vim.fn.writefile({ vim.json.encode(outcome) }, input.result)
  vim.cmd('qall!')
end

-- Neovim must run its own loop for keys and messages to arrive, so waiting leaves the script and comes back.
local function pause()
  vim.defer_fn(driver, step_ms)
  coroutine.yield()
end

local function await(what, condition)
  local deadline = vim.uv.now() + patience_ms
  while not condition() do
    assert(vim.uv.now() < deadline, 'waited in vain for ' .. what)
    pause()
  end
end

local function keys(text)
  vim.api.nvim_feedkeys(vim.keycode(text), 'n', false)
end

-- The suggestion on the screen, as text; nil when there is none.
local function ghost_text()
  for name, id in pairs(vim.api.nvim_get_namespaces()) do
    local marks = name:find('inline_completion') and vim.api.nvim_buf_get_extmarks(0, id, 0, -1, { details = true })
    if marks and marks[1] then
      local details = marks[1][4]
      local lines = vim.list_extend({ details.virt_text }, details.virt_lines or {})
      return table.concat(vim.tbl_map(function(chunks)
        return chunks[1][1]
      end, lines), '\n')
    end
  end
end

local function lines()
  return vim.api.nvim_buf_get_lines(0, 0, -1, false)
end

-- The server suggests nothing while its model loads, and Neovim asks only when something is typed: so type again.
local function type_until_ghost_text()
  local typed = -math.huge
  await('ghost text', function()
    if ghost_text() then
      return true
    end
    if vim.uv.now() - typed > retype_ms then
      typed = vim.uv.now()
      keys('<Esc>A')
    end
    return false
  end)
end

local function open()
  vim.lsp.config('dllm_lsp', { cmd = input.command, settings = { ['dllm-lsp'] = input.settings } })
  vim.lsp.enable('dllm_lsp')
  vim.lsp.inline_completion.enable()
  vim.cmd.edit(vim.fn.fnameescape(input.file))
  await('the server', function()
    return #vim.lsp.get_clients({ name = 'dllm_lsp', bufnr = 0 }) == 1
  end)
  vim.api.nvim_win_set_cursor(0, { input.line, 0 })
end

local function accept()
  local before = lines()
  assert(vim.lsp.inline_completion.get(), 'the ghost text could not be accepted')
  await('the accepted text', function()
    return not vim.deep_equal(lines(), before)
  end)
end

-- Types what contradicts the ghost text, while the server has been told to suggest nothing more.
local function contradict()
  local client = vim.lsp.get_clients({ name = 'dllm_lsp' })[1]
  local silent = vim.tbl_deep_extend('force', input.settings, { suggest = { enabled = false } })
  client:notify('workspace/didChangeConfiguration', { settings = { ['dllm-lsp'] = silent } })
  keys('@@')
  await('the ghost text to go', function()
    return not ghost_text()
  end)
  assert(not vim.lsp.inline_completion.get(), 'ghost text that is gone could be accepted')
end

local function drive()
  open()
  type_until_ghost_text()
  local ghost = ghost_text();
  ({ accept = accept, contradict = contradict })[input.act]()
  finish({ ghost = ghost, lines = lines() })
end

driver = coroutine.wrap(function()
  local ok, problem = pcall(drive)
  if not ok then
    finish({ error = tostring(problem) })
  end
end)
driver()
