local suspended = obj.spec.suspend == true

local actions = {}
actions["suspend"] = {
  ["disabled"] = suspended,
  ["iconClass"] = "fa fa-fw fa-pause-circle"
}
actions["resume"] = {
  ["disabled"] = not suspended,
  ["iconClass"] = "fa fa-fw fa-play-circle"
}

local held = obj.status ~= nil and obj.status.held or nil
local approved = (obj.metadata.annotations or {})["flags.statsig-operator.dev/approve-specs"]
actions["approve"] = {
  ["disabled"] = held == nil or held.hash == approved,
  ["iconClass"] = "fa fa-fw fa-check",
  ["displayName"] = "Approve the held specs"
}
return actions
