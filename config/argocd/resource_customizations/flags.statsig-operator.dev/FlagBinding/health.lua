-- The status is in kstatus format: https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md
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
if ready.reason == "Suspended" then
  return {status = "Suspended", message = ready.message}
end
if ready.status == "True" then
  return {status = "Healthy", message = ready.message}
end
if stalled ~= nil and stalled.status == "True" then
  return {status = "Degraded", message = stalled.reason .. ": " .. stalled.message}
end
return {status = "Progressing", message = ready.reason .. ": " .. ready.message}
