package codec

// Kinds of fields.
const (
	kindText     = 's'
	kindIs       = 'e' // whether it equals the text behind =
	kindRest     = 'j' // all fields from here, as text
	kindLetters  = 'c' // a list of single characters
	kindWhole    = 'i' // a whole number
	kindHex      = 'x' // a whole number in hexadecimal
	kindFlags    = 'y' // some bits of one: =12x7 are the three from bit 12
	kindSignal   = 'g' // the field left over behind groups of four, if any: the signal, since NMEA 4.10, in hexadecimal
	kindNumber   = 'f' // =T: the next field, if present, must be that unit or reference
	kindSigned   = 'v' // a number, with its direction in the next field: negative for W and S
	kindPosition = 'p' // an angle and its direction, in degrees
	kindTime     = 't'
	kindDate     = 'd'
	kindBits     = 'b' // the bits of AIS six-bit armour, with the number of fill bits in the next field
	kindBytes    = 'h' // bytes in hexadecimal
)

// layouts names the fields of sentences by their type; the type of proprietary sentences begins with P,
// that of encapsulated ones with an exclamation mark.
//
// A word is name:kind and the field's position. After that, !5 means that the field is valid only if
// field 5 is neither empty nor V, 0 or N; with ?5 it may also be empty. A word like info[3+4] begins a
// list that starts at field 3, with four fields per item, whose words follow; x12 bounds it.
//
// The names are those of go-nmea v1.10.0. It would parse the sentences too, but it turns numbers,
// positions and times that are not available into 0. So only its parsers of single fields are used, for
// fields that are present.
var layouts = map[string]string{
	"AAM": "statusArrivalCircleEntered:s0 statusPerpendicularPassed:s1 arrivalCircleRadius:f2 " +
		"arrivalCircleRadiusUnit:s3 destinationWaypointID:s4",
	"!ABM": "numFragments:i0 fragmentNumber:i1 messageID:i2 mmsi:s3 channel:s4 vdlMessageNumber:i5 " +
		"payload:b6",
	"ACK": "alertIdentifier:i0",
	"ACN": "time:t0 manufacturerMnemonicCode:s1 alertIdentifier:i2 alertInstance:i3 command:s4 " +
		"state:s5",
	"ALA": "time:t0 systemIndicator:s1 subSystemIndicator:s2 instanceNumber:i3 type:i4 condition:s5 " +
		"alarmAckState:s6 message:s7",
	"ALC": "numFragments:i0 fragmentNumber:i1 messageID:i2 entriesNumber:i3 alertEntries[4+4] " +
		"manufacturerMnemonicCode:s0 alertIdentifier:i1 alertInstance:i2 revisionCounter:i3",
	"ALF": "numFragments:i0 fragmentNumber:i1 messageID:i2 time:t3 category:s4 priority:s5 state:s6 " +
		"manufacturerMnemonicCode:s7 alertIdentifier:i8 alertInstance:i9 revisionCounter:i10 " +
		"escalationCounter:i11 text:s12",
	"ALR": "time:t0 alarmIdentifier:i1 condition:s2 state:s3 description:s4",
	"APB": "statusGeneralWarning:s0 statusLockWarning:s1 crossTrackErrorMagnitude:f2!0!1 " +
		"directionToSteer:s3 crossTrackUnits:s4 statusArrivalCircleEntered:s5 " +
		"statusPerpendicularPassed:s6 bearingOriginToDest:f7 bearingOriginToDestType:s8 " +
		"destinationWaypointID:s9 bearingPresentToDest:f10!0!1 bearingPresentToDestType:s11 " +
		"heading:f12!0!1 headingType:s13 ffaMode:s14",
	"ARC":  "time:t0 manufacturerMnemonicCode:s1 alertIdentifier:i2 alertInstance:i3 command:s4",
	"!BBM": "numFragments:i0 fragmentNumber:i1 messageID:i2 channel:s3 vdlMessageNumber:i4 payload:b5",
	"BEC": "time:t0 latitude:p1 longitude:p3 bearingTrue:f5=T bearingTrueValid:e6=T " +
		"bearingMagnetic:f7=M bearingMagneticValid:e8=M distanceNauticalMiles:f9=N " +
		"distanceNauticalMilesValid:e10=N destinationWaypointID:s11",
	"BOD": "bearingTrue:f0=T bearingTrueType:s1 bearingMagnetic:f2=M bearingMagneticType:s3 " +
		"destinationWaypointID:s4 originWaypointID:s5",
	"BWC": "time:t0 latitude:p1 longitude:p3 bearingTrue:f5=T?12 bearingTrueType:s6 " +
		"bearingMagnetic:f7=M?12 bearingMagneticType:s8 distanceNauticalMiles:f9=N?12 " +
		"distanceNauticalMilesUnit:s10 destinationWaypointID:s11 ffaMode:s12",
	"BWR": "time:t0 latitude:p1 longitude:p3 bearingTrue:f5=T?12 bearingTrueType:s6 " +
		"bearingMagnetic:f7=M?12 bearingMagneticType:s8 distanceNauticalMiles:f9=N?12 " +
		"distanceNauticalMilesUnit:s10 destinationWaypointID:s11 ffaMode:s12",
	"BWW": "bearingTrue:f0=T bearingTrueType:s1 bearingMagnetic:f2=M bearingMagneticType:s3 " +
		"destinationWaypointID:s4 originWaypointID:s5",
	"DBK": "depthFeet:f0=f depthFeetUnit:s1 depthMeters:f2=M depthMetersUnit:s3 depthFathoms:f4=F " +
		"depthFathomsUnit:s5",
	"DBS": "depthFeet:f0=f depthFeetUnit:s1 depthMeters:f2=M depthMeterUnit:s3 depthFathoms:f4=F " +
		"depthFathomUnit:s5",
	"DBT": "depthFeet:f0=f depthMeters:f2=M depthFathoms:f4=F",
	"DOR": "type:s0 time:t1 systemIndicator:s2 divisionIndicator1:s3 divisionIndicator2:i4 " +
		"doorNumberOrCount:i5 doorStatus:s6 switchSetting:s7 message:s8",
	"DPT": "depth:f0 offset:f1 rangeScale:f2",
	"DSC": "formatSpecifier:s0 address:s1 category:s2 distressCauseOrTeleCommand1:s3 " +
		"commandTypeOrTeleCommand2:s4 positionOrCanal:s5 timeOrTelephoneNumber:s6 mmsi:s7 " +
		"distressCause:s8 acknowledgement:s9 expansionIndicator:s10",
	"DSE": "totalNumber:i0 number:i1 acknowledgement:s2 mmsi:s3 dataSets[4+2] code:s0 data:s1",
	"DTM": "localDatumCode:s0 localDatumSubcode:s1 latitudeOffsetMinute:v2 longitudeOffsetMinute:v4 " +
		"altitudeOffsetMeters:f6 datumName:s7",
	"EVE": "time:t0 tagCode:s1 message:s2",
	"FIR": "type:s0 time:t1 systemIndicator:s2 divisionIndicator1:s3 divisionIndicator2:i4 " +
		"fireDetectorNumberOrCount:i5 condition:s6 alarmAckState:s7 message:s8",
	"GGA": "time:t0 latitude:p1!5 longitude:p3!5 fixQuality:s5 numSatellites:i6 hdop:f7 " +
		"altitude:f8!5 separation:f10!5 dgpsAge:s12 dgpsId:s13",
	"GLL": "latitude:p0!5?6 longitude:p2!5?6 time:t4 validity:s5 ffaMode:s6",
	"GNS": "time:t0 latitude:p1?5 longitude:p3?5 mode:c5 sVs:i6 hdop:f7 altitude:f8?5 " +
		"separation:f9?5 age:f10 station:i11 navStatus:s12",
	"GSA": "mode:s0 fixType:s1 pdop:f14 hdop:f15 vdop:f16 systemID:x17 sv[2+1x12] :s0",
	"GSV": "totalMessages:i0 messageNumber:i1 numberSVsInView:i2 signalID:g3 info[3+4] " +
		"svprnNumber:i0 elevation:i1 azimuth:i2 snr:i3",
	"HBT": "interval:f0 operationStatus:s1 messageID:i2",
	"HDG": "heading:f0 deviation:f1 deviationDirection:s2 variation:f3 variationDirection:s4",
	"HDM": "heading:f0=M magneticValid:e1=M",
	"HDT": "heading:f0=T true:e1=T",
	"HSC": "trueHeading:f0=T trueHeadingType:s1 magneticHeading:f2=M magneticHeadingType:s3",
	"MDA": "pressureInch:f0=I inchesValid:e1=I pressureBar:f2=B barsValid:e3=B airTemp:f4=C " +
		"airTempValid:e5=C waterTemp:f6=C waterTempValid:e7=C relativeHum:f8 absoluteHum:f9 " +
		"dewPoint:f10=C dewPointValid:e11=C windDirectionTrue:f12=T trueValid:e13=T " +
		"windDirectionMagnetic:f14=M magneticValid:e15=M windSpeedKnots:f16=N knotsValid:e17=N " +
		"windSpeedMeters:f18=M metersValid:e19=M",
	"MTA": "temperature:f0=C unit:s1",
	"MTW": "temperature:f0=C celsiusValid:e1=C",
	"MWD": "windDirectionTrue:f0=T trueValid:e1=T windDirectionMagnetic:f2=M magneticValid:e3=M " +
		"windSpeedKnots:f4=N knotsValid:e5=N windSpeedMeters:f6=M metersValid:e7=M",
	"MWV": "windAngle:f0!4 reference:s1 windSpeed:f2!4 windSpeedUnit:s3 statusValid:e4=A",
	"OSD": "heading:f0!1 headingStatus:s1 vesselTrueCourse:f2 courseReference:s3 vesselSpeed:f4 " +
		"speedReference:s5 vesselSetTrue:f6 vesselDrift:f7 speedUnits:s8",
	"PCDIN":   "pgn:x0 timestamp:x1 source:x2 data:h3",
	"PGN":     "pgn:x0 isSend:y1=15x1 priority:y1=12x7 address:y1=0x255 data:h2",
	"PGRME":   "horizontal:f0=M vertical:f2=M spherical:f4=M",
	"PHTRO":   "pitch:f0 bow:s1 roll:f2 port:s3",
	"PMTK001": "cmd:i0 flag:i1",
	"PRDID":   "pitch:f0 roll:f1 heading:f2",
	"PSKPDPT": "depth:f0 offset:f1 rangeScale:f2 bottomEchoStrength:i3 channelNumber:i4 " +
		"transducerLocation:s5",
	"PSONCMS": "quaternion0:f0 quaternion1:f1 quaternion2:f2 quaternion3:f3 accelerationX:f4 " +
		"accelerationY:f5 accelerationZ:f6 rateOfTurnX:f7 rateOfTurnY:f8 rateOfTurnZ:f9 " +
		"magneticFieldX:f10 magneticFieldY:f11 magneticFieldZ:f12 sensorTemperature:f13",
	"Q": "requestedSentence:s0",
	"RMB": "dataStatus:s0 crossTrackErrorNauticalMiles:f1!0?13 directionToSteer:s2 " +
		"originWaypointID:s3 destinationWaypointID:s4 destinationLatitude:p5 " +
		"destinationLongitude:p7 rangeToDestinationNauticalMiles:f9!0?13 " +
		"trueBearingToDestination:f10!0?13 velocityToDestinationKnots:f11!0?13 arrivalStatus:s12 " +
		"ffaMode:s13",
	"RMC": "time:t0 validity:s1 latitude:p2!1?11 longitude:p4!1?11 speed:f6!1?11 course:f7!1?11 " +
		"date:d8 variation:v9 ffaMode:s11 navStatus:s12",
	"ROT": "rateOfTurn:f0!1 valid:e1=A",
	"RPM": "source:s0 engineNumber:i1 speedRPM:f2!4 pitchPercent:f3!4 status:s4",
	"RSA": "starboardRudderAngle:f0!1 starboardRudderAngleStatus:s1 portRudderAngle:f2!3 " +
		"portRudderAngleStatus:s3",
	"RSD": "origin1Range:f0 origin1Bearing:f1 variableRangeMarker1:f2 bearingLine1:f3 " +
		"origin2Range:f4 origin2Bearing:f5 variableRangeMarker2:f6 bearingLine2:f7 " +
		"cursorRangeFromOwnShip:f8 cursorBearingDegrees:f9 rangeScale:f10 rangeUnit:s11 " +
		"displayRotation:s12",
	"RTE": "numberOfSentences:i0 sentenceNumber:i1 activeRouteOrWaypointList:s2 name:s3 idents[4+1] " +
		":s0",
	"THS": "heading:f0!1 status:s1",
	"TLB": "targets[0+2] targetNumber:f0 targetLabel:s1",
	"TLL": "targetNumber:i0 targetLatitude:p1 targetLongitude:p3 targetName:s5 timeUTC:t6 " +
		"targetStatus:s7 referenceTarget:s8",
	"!TTD": "numFragments:x0 fragmentNumber:x1 messageID:i2 payload:b3",
	"TTM": "targetNumber:i0 targetDistance:f1 bearing:f2 bearingType:s3 targetSpeed:f4 " +
		"targetCourse:f5 courseType:s6 distanceCPA:f7 timeCPA:f8 speedUnits:s9 targetName:s10 " +
		"targetStatus:s11 referenceTarget:s12 timeUTC:t13 typeOfAcquisition:s14",
	"TXT": "totalNumber:i0 number:i1 id:i2 message:j3",
	"VBW": "longitudinalWaterSpeedKnots:f0!2 transverseWaterSpeedKnots:f1!2 " +
		"waterSpeedStatusValid:e2=A waterSpeedStatus:s2 longitudinalGroundSpeedKnots:f3!5 " +
		"transverseGroundSpeedKnots:f4!5 groundSpeedStatusValid:e5=A groundSpeedStatus:s5 " +
		"sternTraverseWaterSpeedKnots:f6!7 sternTraverseWaterSpeedStatusValid:e7=A " +
		"sternTraverseWaterSpeedStatus:s7 sternTraverseGroundSpeedKnots:f8!9 " +
		"sternTraverseGroundSpeedStatusValid:e9=A sternTraverseGroundSpeedStatus:s9",
	"!VDM !VDO": "numFragments:i0 fragmentNumber:i1 messageID:i2 channel:s3 payload:b4",
	"VDR": "setDegreesTrue:f0=T setDegreesTrueUnit:s1 setDegreesMagnetic:f2=M " +
		"setDegreesMagneticUnit:s3 driftKnots:f4=N driftUnit:s5",
	"VHW": "trueHeading:f0=T magneticHeading:f2=M speedThroughWaterKnots:f4=N " +
		"speedThroughWaterKPH:f6=K",
	"VLW": "totalInWater:f0=N totalInWaterUnit:s1 sinceResetInWater:f2=N sinceResetInWaterUnit:s3 " +
		"totalOnGround:f4=N totalOnGroundUnit:s5 sinceResetOnGround:f6=N " +
		"sinceResetOnGroundUnit:s7",
	"VPW": "speedKnots:f0=N speedKnotsUnit:s1 speedMPS:f2=M speedMPSUnit:s3",
	"VSD": "typeOfShipAndCargo:i0 staticDraughtMeters:f1 personsOnBoard:i2 destination:s3 " +
		"estimatedArrivalTime:i4 estimatedArrivalDay:i5 estimatedArrivalMonth:i6 " +
		"navigationalStatus:i7 regionalApplication:i8",
	"VTG": "trueTrack:f0=T?8 magneticTrack:f2=M?8 groundSpeedKnots:f4=N?8 groundSpeedKPH:f6=K?8 " +
		"ffaMode:s8",
	"VWR": "measuredAngle:f0 measuredDirectionBow:s1 speedKnots:f2=N speedKnotsUnit:s3 speedMPS:f4=M " +
		"speedMPSUnit:s5 speedKPH:f6=K speedKPHUnit:s7",
	"VWT": "trueAngle:f0 trueDirectionBow:s1 speedKnots:f2=N speedKnotsUnit:s3 speedMPS:f4=M " +
		"speedMPSUnit:s5 speedKPH:f6=K speedKPHUnit:s7",
	"WPL": "latitude:p0 longitude:p2 ident:s4",
	"XDR": "measurements[0+4] transducerType:s0 value:f1 unit:s2 transducerName:s3",
	"XTE": "statusGeneralWarning:s0 statusLockWarning:s1 crossTrackErrorMagnitude:f2!0!1?5 " +
		"directionToSteer:s3 crossTrackUnits:s4 ffaMode:s5",
	"ZDA": "time:t0 day:i1 month:i2 year:i3 offsetHours:i4 offsetMinutes:i5",
}
