if obj.spec.hold ~= nil then
  obj.spec.hold.reason = nil
  obj.spec.hold["until"] = nil
  if next(obj.spec.hold) == nil then
    obj.spec.hold = nil
  end
end
return obj
