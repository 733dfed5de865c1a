local suspended = obj.spec.suspend == true
local held = obj.spec.hold ~= nil and obj.spec.hold.reason ~= nil

local actions = {}
actions["suspend"] = {
  ["disabled"] = suspended,
  ["iconClass"] = "fa fa-fw fa-pause-circle"
}
actions["resume"] = {
  ["disabled"] = not suspended,
  ["iconClass"] = "fa fa-fw fa-play-circle"
}
actions["hold"] = {
  ["disabled"] = held,
  ["iconClass"] = "fa fa-fw fa-lock",
  ["displayName"] = "Hold closed",
  ["params"] = {
    {
      ["name"] = "reason"
    }
  }
}
actions["release"] = {
  ["disabled"] = not held,
  ["iconClass"] = "fa fa-fw fa-unlock",
  ["displayName"] = "Release the hold"
}
return actions
