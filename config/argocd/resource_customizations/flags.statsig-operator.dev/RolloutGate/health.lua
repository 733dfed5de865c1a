-- The status is in kstatus format: https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md
-- A gate that is not open is Progressing, so that a sync waits for it; Degraded would end the sync.
if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "Waiting for statsig-operator to look at this generation."}
end

local conditions = {}
for _, condition in ipairs(obj.status.conditions or {}) do
  conditions[condition.type] = condition
end

local ready, stalled = conditions["Ready"], conditions["Stalled"]
if ready == nil then
  return {status = "Progressing", message = "Waiting for the condition Ready."}
end
local state = obj.status.state or "Unknown"
-- Before Suspended: a gate that is suspended while it is open lets pass, here as everywhere.
if state == "Open" then
  return {status = "Healthy", message = "Open. " .. ready.message}
end
if ready.reason == "Suspended" then
  return {status = "Suspended", message = state .. ". " .. ready.message}
end
if stalled ~= nil and stalled.status == "True" then
  return {status = "Degraded", message = stalled.reason .. ": " .. stalled.message}
end
return {status = "Progressing", message = state .. ". " .. ready.message}
