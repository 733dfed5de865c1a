-- Argo CD asks for parameters from v3.1 on; before, there are none.
local reason = actionParams ~= nil and actionParams["reason"] or ""
if reason == "" then
  reason = "Held in Argo CD."
end

if obj.spec.hold == nil then
  obj.spec.hold = {}
end
obj.spec.hold.reason = reason
-- One that is over would end this hold before it begins.
obj.spec.hold["until"] = nil
return obj
